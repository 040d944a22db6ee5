"""What every page must be: HTML that a strict parser takes, in French, that a screen reader can follow."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree.ElementTree import Element

import html5lib

_INPUTS = ("input", "select", "textarea")


def faults(page: str) -> list[str]:
    """What is wrong with a page; nothing when it is as it should be."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(page)
    found = [f"{error}: {where}" for where, error, _ in parser.errors]
    ids = [each.get("id") for each in tree.iter() if each.get("id")]
    found += [f"id twice: {one}" for one in set(ids) if ids.count(one) > 1]
    found += [f"unlabelled: {each.get('name')}" for each in _fields(tree) if not _labelled(each, tree)]
    found += [f"th without scope: {''.join(each.itertext())}" for each in tree.iter("th") if not each.get("scope")]
    found += [f"inline: {each.tag}" for each in tree.iter() if each.get("style") or each.tag == "style"]
    found += [f"script: {each.tag}" for each in tree.iter() for name in each.attrib if name.startswith("on")]
    found += ["not French"] if tree.get("lang") != "fr" else []
    found += ["a form without its token"] * sum(
        1 for each in tree.iter("form") if each.get("method") == "post" and not _carries_token(each)
    )
    return found + _headings(tree)


def _fields(tree: Element) -> list[Element]:
    return [each for each in tree.iter() if each.tag in _INPUTS and each.get("type") != "hidden"]


def _labelled(field: Element, tree: Element) -> bool:
    by_name = any(label.get("for") == field.get("id") for label in tree.iter("label") if field.get("id"))
    return by_name or any(field in list(label.iter()) for label in tree.iter("label"))


def _carries_token(form: Element) -> bool:
    return any(re.fullmatch("[0-9a-f]{64}", each.get("value", "")) for each in form.iter("input"))


def _headings(tree: Element) -> list[str]:
    levels = [int(each.tag[1]) for each in tree.iter() if re.fullmatch("h[1-6]", str(each.tag))]
    if not levels or levels[0] != 1 or levels.count(1) != 1:
        return [f"headings begin badly: {levels}"]
    return [f"headings leap: {levels}" for before, after in pairwise(levels) if after > before + 1]
