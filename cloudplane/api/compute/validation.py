"""Checks requests against their JSON schemas, which are compiled once, and says where a request is wrong."""

import base64
import binascii
import ipaddress
import re
from typing import Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match

from cloudplane.api.compute.schemas.types import MAX_INT, Schema
from cloudplane.exceptions import BadRequest

FORMATS: Final = FormatChecker(formats=())
_MAX_TEXT: Final = 300
_MAX_VALUE: Final = 60
_DIGITS: Final = re.compile('[0-9]{1,10}')
_FACTOR: Final = re.compile(r'[0-9]{1,9}(\.[0-9]{1,9})?')


@FORMATS.checks('ipv4', raises=ValueError)
def _is_ipv4(value: object) -> bool:
    return not isinstance(value, str) or value == '' or bool(ipaddress.IPv4Address(value))


@FORMATS.checks('ipv6', raises=ValueError)
def _is_ipv6(value: object) -> bool:
    return not isinstance(value, str) or value == '' or bool(ipaddress.IPv6Address(value))


@FORMATS.checks('base64', raises=(binascii.Error, ValueError))
def _is_base64(value: object) -> bool:
    if isinstance(value, str):
        base64.b64decode(''.join(value.split()), validate=True)
    return True


@FORMATS.checks('digits-of-whole-number')
def _is_whole(value: object) -> bool:
    return not isinstance(value, str) or _in_range(value, 0)


@FORMATS.checks('digits-of-positive-number')
def _is_positive(value: object) -> bool:
    return not isinstance(value, str) or _in_range(value, 1)


@FORMATS.checks('digits-of-factor')
def _is_factor(value: object) -> bool:
    return not isinstance(value, str) or (_FACTOR.fullmatch(value) is not None and float(value) > 0)


def _in_range(digits: str, minimum: int) -> bool:
    return _DIGITS.fullmatch(digits) is not None and minimum <= int(digits) <= MAX_INT


class Validator:
    """One schema, ready for use."""

    def __init__(self, schema: Schema) -> None:
        self._compiled = Draft202012Validator(schema, format_checker=FORMATS)

    def check(self, value: object, what: str = '') -> None:
        """BadRequest, with the path to what is wrong. `what` is put before it: a query parameter, for example."""
        if self._compiled.is_valid(value):
            return
        error = best_match(self._compiled.iter_errors(value))
        assert error is not None
        raise BadRequest(f'Invalid input at {what}{error.json_path}: {_words(error)}')


def _words(error: ValidationError) -> str:
    """What is wrong. A schema may say with `description` what a pattern or format stands for."""
    if error.validator in ('pattern', 'format') and isinstance(error.schema, dict) and 'description' in error.schema:
        return f'it must be {error.schema["description"]}'
    message = _shortened(error)
    if error.validator in ('maxLength', 'maxItems', 'maxProperties'):
        message = f'{message} (at most {error.validator_value})'
    return message if len(message) <= _MAX_TEXT else f'{message[:_MAX_TEXT]}…'


def _shortened(error: ValidationError) -> str:
    """The message, which begins with the value, and says only behind it what is wrong."""
    value = repr(error.instance)
    return error.message if len(value) <= _MAX_VALUE else error.message.replace(value, f'{value[:_MAX_VALUE]}…', 1)
