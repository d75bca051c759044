"""Readers of every format, each as those who get the format would read it, written apart from what writes it.

A reader returns a line for each finding: level, title, message and place.
"""

import csv
import io
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

from junitparser import JUnitXml
from markdown_it import MarkdownIt

from lossdoctor.printable import printable


def line(level, title, message, file, number):
    return f"{level} {title}: {message} ({file}:{number})" if number else f"{level} {title}: {message} ({file})"


def titled(code, name, components):
    return printable(f"{code} {name} in {', '.join(components)}" if components else f"{code} {name}")


def read_json(text):
    document = json.loads(text)
    for report in document.get("reports", [document]):
        for finding in report["findings"]:
            place = finding["location"] or {"file": report["config"], "line": 0}
            title = titled(finding["code"], finding["name"], finding["components"])
            yield line(
                finding["severity"], title, printable(finding["message"]), printable(place["file"]), place["line"]
            )


def read_sarif(text):
    [run] = json.loads(text)["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        rule = rules[result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        message = result["message"]["text"].split("\n\n")[0].replace("] (", "](").replace("{{0}}", "{0}")
        [place] = [place["physicalLocation"] for place in result["locations"]]
        file = printable(unquote(place["artifactLocation"]["uri"], errors="surrogatepass"))
        title = titled(result["ruleId"], rule["name"], result["properties"]["components"])
        yield line(result["level"], title, message, file, place.get("region", {}).get("startLine", 0))


def read_junit(text):
    for suite in JUnitXml.fromstring(text.encode()):
        for case in suite:
            if case.system_out:
                said, source = case.system_out.splitlines()[:2]
                level, message = said.split(": ", 1)
                yield f"{level} {case.name}: {message} ({source.removeprefix('source: ')})"


COMMAND = re.compile(r"::(?P<name>[a-z-]+) (?P<properties>[^\n]*?)::(?P<data>[^\n]*)\n")


def commands(text):
    """What the runner of GitHub Actions makes of its input (`ActionCommand.TryParseV2`)."""
    for command in COMMAND.finditer(text):
        pairs = [pair.split("=", 1) for pair in command["properties"].split(",")]
        yield (
            command["name"],
            {key: unescaped(value, {"%3A": ":", "%2C": ","}) for key, value in pairs},
            unescaped(command["data"], {}),
        )


def unescaped(text, more):
    for code, char in (more | {"%0D": "\r", "%0A": "\n", "%25": "%"}).items():
        text = text.replace(code, char)
    return text


def read_github(text):
    levels = {"error": "error", "warning": "warning", "notice": "note"}
    for name, properties, data in commands(text):
        if properties["title"] == "config not usable":
            continue
        message = data.split("\n")[0]
        yield line(levels[name], properties["title"], message, properties["file"], int(properties.get("line", 0)))


class Element:
    def __init__(self, tag):
        self.tag, self.children = tag, []

    def text(self):
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)

    def all(self, tag):
        for child in self.children:
            if isinstance(child, Element):
                yield from [child] if child.tag == tag else child.all(tag)


class Page(HTMLParser):
    """What a comment in Markdown is as a page: a tree of elements, and the tags that there are."""

    def __init__(self, markdown):
        super().__init__()
        self.open, self.tags = [Element("page")], set()
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))
        [self.root] = self.open

    def handle_starttag(self, tag, attributes):
        element = Element(tag)
        self.tags.add(tag)
        self.open[-1].children.append("\n" if tag == "br" else element)
        self.open += [] if tag == "br" else [element]

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].children.append(data.replace("\u200b", ""))


def read_markdown(text):
    for block in Page(text).root.all("details"):
        [summary] = [element.text() for element in block.all("summary")]
        rows = [[cell.text() for cell in row.all("td")] for row in block.all("tr")]
        if "\n" in summary:
            heading, message = summary.split("\n", 1)
            _, level, title = heading.split(" ", 2)
            yield f"{level} {title}: {message} ({dict(rows)['source']})"
        yield from (value for label, value in rows if label == "explains")


def read_csv(text):
    for row in csv.DictReader(io.StringIO(text)):
        row = {key: re.sub("^'(?=[=+@-])", "", value) for key, value in row.items()}
        if row["code"]:
            title = titled(row["code"], row["name"], json.loads(row["components"]))
            yield line(row["level"], title, row["message"], row["file"], int(row["line"] or 0))


READERS = {
    "json": read_json,
    "sarif": read_sarif,
    "junit": read_junit,
    "github": read_github,
    "markdown": read_markdown,
    "csv": read_csv,
}
