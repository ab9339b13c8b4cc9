"""Judges an OpenAPI document: says nothing when it is valid, and everything that is wrong otherwise.

    openapi.py DOCUMENT
"""

import json
import sys

from openapi_spec_validator import OpenAPIV31SpecValidator

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
faults = [
    f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}"
    for fault in OpenAPIV31SpecValidator(document).iter_errors()
]
if faults:
    sys.exit("\n".join(faults))
