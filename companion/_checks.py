"""A check of arguments that several modules need."""

import numbers


def whole_number(name, value, least=1):
    """Return a number of pixels, channels, layers or pictures as int.

    Raises ValueError for a fraction, even 64.0, for True and for less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{name} is {value!r}; pass a whole number from {least} on.")
    return int(value)
