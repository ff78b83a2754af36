"""Words for yes and no, as clients write them."""

from typing import Final

# In bodies: exactly these. Clients that read a command line send words where JSON has true and false.
TRUE: Final = (True, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes')
FALSE: Final = (False, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no')

# In queries: these, in any case.
QUERY_TRUE: Final = ('1', 't', 'true', 'on', 'y', 'yes')
QUERY_FALSE: Final = ('0', 'f', 'false', 'off', 'n', 'no')
