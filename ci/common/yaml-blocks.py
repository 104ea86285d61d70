"""Writes the YAML blocks of a page into DIR: N.github.yml for workflows, N.gitlab.yml for pipelines.

    python ci/common/yaml-blocks.py PAGE DIR

A workflow is what has jobs; what a page shows of one without the rest gets it here.
"""

import pathlib
import re
import shutil
import sys

import yaml

page, directory = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
shutil.rmtree(directory, ignore_errors=True)
directory.mkdir(parents=True)
for match in re.finditer(r"^```yaml\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
    line = page.read_text()[: match.start()].count("\n") + 1
    block = yaml.safe_load(match.group(1))
    if "jobs" in block:
        kind = "github"
        # YAML reads a bare `on` as true.
        block["on"] = block.pop(True, "push")
    elif "include" in block:
        kind = "gitlab"
    else:
        sys.exit(f"{page}:{line}: neither a workflow nor a pipeline")
    (directory / f"{line}.{kind}.yml").write_text(yaml.safe_dump(block))
