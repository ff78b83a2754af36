"""What answers look like: records in, Nova's JSON out, one module per noun."""
