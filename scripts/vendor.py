"""Fetch the front-end files that TraceHub ships, from the npm registry, and check them.

`python scripts/vendor.py` runs `npm pack` for each package below and writes the files with their
version in the name, and `static/vendor/VERSIONS` with a SHA-256 for each.
`python scripts/vendor.py --check` compares what is there with VERSIONS, without network; it exits
1 and names each file that is missing, changed or not listed.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
VERSIONS = VENDOR / "VERSIONS"

# npm package, version, {member of the tarball: name in static/vendor}
PACKAGES: list[tuple[str, str, dict[str, str]]] = [
    (
        "htmx.org",
        "4.0.1",
        {
            "dist/htmx.min.js": "htmx-4.0.1.min.js",
            "dist/ext/hx-csp.min.js": "hx-csp-4.0.1.min.js",
            "LICENSE": "htmx-4.0.1.LICENSE",
        },
    ),
    (
        # Pinned as a pair with `plotly` in pyproject.toml, which writes the figures it draws.
        "plotly.js-strict-dist-min",
        "4.1.1",
        {
            "plotly-strict.min.js": "plotly-strict-4.1.1.min.js",
            "LICENSE": "plotly-strict-4.1.1.LICENSE",
        },
    ),
    (
        "@fontsource-variable/inter",
        "5.3.0",
        {
            "files/inter-latin-wght-normal.woff2": "inter-latin-5.3.0.woff2",
            "LICENSE": "inter-5.3.0.LICENSE",
        },
    ),
    (
        "@fontsource-variable/jetbrains-mono",
        "5.3.0",
        {
            "files/jetbrains-mono-latin-wght-normal.woff2": "jetbrains-mono-latin-5.3.0.woff2",
            "LICENSE": "jetbrains-mono-5.3.0.LICENSE",
        },
    ),
]


def fetch(package: str, version: str, members: dict[str, str]) -> list[str]:
    """Write the members of one npm package and return their lines for VERSIONS."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True)
        (tarball,) = Path(folder).glob("*.tgz")
        lines = []
        with tarfile.open(tarball) as archive:
            for member, name in members.items():
                source = archive.extractfile(f"package/{member}")
                if source is None:
                    raise SystemExit(f"{package}@{version} has no file {member}.")
                data = strip_map(source.read()) if name.endswith(".js") else source.read()
                (VENDOR / name).write_bytes(data)
                lines.append(f"{digest(VENDOR / name)}  {name}  {package}@{version}")
    return lines


def strip_map(data: bytes) -> bytes:
    """Drop the pointer to a source map: the map is not shipped and collectstatic follows it."""
    return data.split(b"\n//# sourceMappingURL=")[0] + b"\n"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def problems() -> list[str]:
    """Return one sentence for each difference between the folder and VERSIONS."""
    listed = {}
    for line in VERSIONS.read_text().splitlines():
        if line and not line.startswith("#"):
            sha, name, _ = line.split()
            listed[name] = sha
    found = {p.name for p in VENDOR.iterdir()} - {VERSIONS.name}
    return [
        *(f"{name} is listed in VERSIONS but missing." for name in sorted(listed.keys() - found)),
        *(f"{name} is not listed in VERSIONS." for name in sorted(found - listed.keys())),
        *(
            f"{name} differs from its checksum in VERSIONS."
            for name in sorted(listed.keys() & found)
            if digest(VENDOR / name) != listed[name]
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch or check the vendored front-end files.")
    parser.add_argument("--check", action="store_true", help="compare with VERSIONS, no network")
    if parser.parse_args().check:
        found = problems()
        print(*found or [f"Vendored files match {VERSIONS.name}."], sep="\n")
        return 1 if found else 0
    VENDOR.mkdir(parents=True, exist_ok=True)
    lines = [line for package in PACKAGES for line in fetch(*package)]
    head = "# SHA-256, file, npm package. Written by scripts/vendor.py; do not edit."
    VERSIONS.write_text("\n".join([head, *lines]) + "\n")
    print(f"Wrote {len(lines)} files to {VENDOR}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
