"""Fetch the front-end files that TraceHub ships, from the npm registry, and check them.

`python scripts/vendor.py` runs `npm pack` for each package below and writes the files with their
version in the name, and `static/vendor/VERSIONS` with a SHA-256 for each. CodeMirror comes as a
dozen packages that import each other; `esbuild` makes one module of what the pages use of them.
`python scripts/vendor.py --check` compares what is there with VERSIONS, without network; it exits
1 and names each file that is missing, changed or not listed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
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
        # Lines and bars: a fifth of all of Plotly, and like its strict form without `Function`.
        "plotly.js-basic-dist-min",
        "4.1.1",
        {
            "plotly-basic.min.js": "plotly-basic-4.1.1.min.js",
            "LICENSE": "plotly-basic-4.1.1.LICENSE",
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

# The code editor: its name and version, the packages (all of them, so that the same file comes out
# each time) and what the module exports.
EDITOR = "codemirror-6.43.15"
EDITOR_PACKAGES = {
    "@codemirror/commands": "6.11.1",
    "@codemirror/lang-json": "6.0.2",
    "@codemirror/language": "6.13.1",
    "@codemirror/lint": "6.9.8",
    "@codemirror/merge": "6.12.3",
    "@codemirror/state": "6.7.6",
    "@codemirror/streamparser": "6.0.0",
    "@codemirror/view": "6.43.15",
    "@lezer/common": "1.5.5",
    "@lezer/highlight": "1.2.5",
    "@lezer/json": "1.0.3",
    "@lezer/lr": "1.4.12",
    "@marijn/find-cluster-break": "1.0.4",
    "crelt": "1.0.7",
    "esbuild": "0.28.2",
    "style-mod": "4.1.5",
    "w3c-keyname": "2.2.8",
}
EDITOR_EXPORTS = """
export { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
export { json, jsonParseLinter } from "@codemirror/lang-json";
export {
  HighlightStyle, bracketMatching, ensureSyntaxTree, indentUnit, syntaxHighlighting, syntaxTree,
} from "@codemirror/language";
export { forEachDiagnostic, linter } from "@codemirror/lint";
export { getChunks, unifiedMergeView } from "@codemirror/merge";
export { EditorState } from "@codemirror/state";
export { EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
export { tags } from "@lezer/highlight";
"""


def bundle() -> list[str]:
    """Write the code editor as one module, with its license; return their lines for VERSIONS."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        there.joinpath("package.json").write_text(json.dumps({"dependencies": EDITOR_PACKAGES}))
        there.joinpath("entry.js").write_text(EDITOR_EXPORTS)
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True
        )
        made, license = VENDOR / f"{EDITOR}.min.js", VENDOR / f"{EDITOR}.LICENSE"
        command = ["npx", "esbuild", "entry.js", "--bundle", "--minify", "--format=esm"]
        subprocess.run([*command, "--log-level=error", f"--outfile={made}"], cwd=folder, check=True)
        view = "@codemirror/view"
        license.write_bytes((there / "node_modules" / view / "LICENSE").read_bytes())
    return [f"{digest(one)}  {one.name}  {view}@{EDITOR_PACKAGES[view]}" for one in (made, license)]


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
    lines = [line for package in PACKAGES for line in fetch(*package)] + bundle()
    head = "# SHA-256, file, npm package. Written by scripts/vendor.py; do not edit."
    VERSIONS.write_text("\n".join([head, *lines]) + "\n")
    print(f"Wrote {len(lines)} files to {VENDOR}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
