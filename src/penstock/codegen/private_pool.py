"""Descriptors in a pool of one's own, instead of the one that the whole process shares.

The shared pool takes one definition per name. A library that ships a .proto which others ship too, in another release
or under another file name, would make a program fail that imports both.
"""

import re

from penstock.codegen.errors import InputError
from penstock.codegen.modules import needs_importlib

__all__ = ["use_pool"]

_IMPORT = "from google.protobuf import descriptor_pool as _descriptor_pool"
_SHARED = re.compile(r"\b_descriptor_pool\.Default\(\)")


def use_pool(source: str, module: str) -> str:
    """Make a `_pb2.py` put its descriptors into the `POOL` of a module.

    Args:
        source: Text of a `_pb2.py`.
        module: Full name of the module that holds `POOL`, a `google.protobuf.descriptor_pool.DescriptorPool`. Files
            that are imported from elsewhere, such as google's, must be in it.

    Raises:
        InputError: The name is none that an import statement can have.
    """
    if needs_importlib(module):
        raise InputError(f"no module can be imported under the name {module!r}; hint: --pool package.module")
    return _SHARED.sub("_POOL", source.replace(_IMPORT, f"from {module} import POOL as _POOL", 1))
