"""Long chains of `+ - * /`, `and` and `or` as balanced trees, so that a sum written out has no
limit of length.

The grammar makes a chain lean to the left, one level for each operator, and later passes call
themselves for each level. A chain of more than `LONGEST` operators becomes a tree of logarithmic
depth before any of them sees it; the value is the same, but for the order in which rounding
happens. Shorter chains stay as they are written.
"""

from collections.abc import Iterator
from typing import Final

from lark import Token, Tree
from lark.tree import Meta

Node = Tree[Token]

LONGEST: Final = 40
# The operators of a chain and what each turns into inside brackets after the second of the pair: a
# - (b + c).
PAIRS: Final = (
    ("add_terms", "subtract_terms"),
    ("multiply", "divide"),
    ("and_", "and_"),
    ("or_", "or_"),
)
TURNED: Final = {rule: other for pair in PAIRS for rule, other in (pair, pair[::-1])}


def balance_chains(tree: Node) -> None:
    """Balance every long chain of the tree, in place."""
    for head in _heads(tree):
        operands, rules = _unrolled(head)
        if len(rules) > LONGEST:
            balanced = _joined(operands, rules, 0, len(operands))
            head.data, head.children = balanced.data, balanced.children


def _heads(tree: Node) -> Iterator[Node]:
    """The last operator of each chain, those inside others first."""
    heads: list[Node] = []
    stack: list[tuple[Node, str]] = [
        (tree, "")
    ]  # a node, and the rule of the chain it is the left part of
    while stack:
        node, continued = stack.pop()
        rule = str(node.data)
        chained = rule in TURNED
        if chained and rule not in (continued, TURNED.get(continued)):
            heads.append(node)
        for place, child in enumerate(node.children):
            if isinstance(child, Tree):
                stack.append((child, rule if chained and place == 0 else ""))
    return reversed(heads)


def _unrolled(head: Node) -> tuple[list[Node], list[str]]:
    """The operands of a chain from left to right, and the rules of the operators between them."""
    kinds = (str(head.data), TURNED[str(head.data)])
    operands: list[Node] = []
    rules: list[str] = []
    node = head
    while str(node.data) in kinds:
        left, right = node.children
        assert isinstance(left, Tree)
        assert isinstance(right, Tree)
        operands.append(right)
        rules.append(str(node.data))
        node = left
    operands.append(node)
    return operands[::-1], rules[::-1]


def _joined(operands: list[Node], rules: list[str], first: int, end: int) -> Node:
    """The operands `first` to before `end` as a tree that is halved at each level; `rules[i]`
    stands before i + 1.
    """
    if end - first == 1:
        return operands[first]
    middle = (first + end) // 2
    rule = rules[middle - 1]
    inverse = rule in ("subtract_terms", "divide")
    after = [TURNED[r] for r in rules[middle : end - 1]] if inverse else rules[middle : end - 1]
    left = _joined(operands, rules, first, middle)
    right = _joined(operands[middle:end], after, 0, end - middle)
    return Tree(rule, [left, right], _meta(left.meta, right.meta))


def _meta(first: Meta, last: Meta) -> Meta:
    """The place from one node to another."""
    meta = Meta()  # type: ignore[no-untyped-call]
    if not (first.empty or last.empty):
        meta.empty = False
        meta.line, meta.column, meta.start_pos = first.line, first.column, first.start_pos
        meta.end_line, meta.end_column, meta.end_pos = last.end_line, last.end_column, last.end_pos
    return meta
