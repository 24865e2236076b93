"""A model together with the data it is to be solved with: its stages, and its solution.

`mecdsl.api.LoadedModel` is the same for people, with everything else they may ask for; studies are
made of this.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from mecdsl.compilation import Compilation
from mecdsl.compiling.check import CheckedModel
from mecdsl.convexity.problem import analyse
from mecdsl.data_files.read import Given
from mecdsl.diagnostics import Diagnostic, ModelError, count
from mecdsl.forms.apply import Goal, form_names
from mecdsl.instances.instance import Instance
from mecdsl.parsing import syntax

if TYPE_CHECKING:
    from mecdsl.backend import Backend
    from mecdsl.results.result import Result
    from mecdsl.solution import SolveOptions


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ModelWithData:
    """A parsed model with the data that override its own; stages run when they are asked for.

    `parse_seconds`: for reading the model and the data. `elsewhere`: parameters that some form
    declares and that are given for it; where the model has none of that name, they are left out
    (see `across`). `compilation`: what the stages made of the document, which copies of this model
    share.
    """

    document: syntax.Document
    given: Mapping[str, Given]
    seed: int = 0
    parse_seconds: float = 0.0
    elsewhere: frozenset[str] = frozenset()
    compilation: Compilation = field(default=None)  # type: ignore[assignment]  # made below

    def __post_init__(self) -> None:
        if self.compilation is None or self.compilation.document is not self.document:
            object.__setattr__(self, "compilation", Compilation(self.document))

    def __repr__(self) -> str:
        header = next((s for s in self.document.statements if isinstance(s, syntax.Header)), None)
        parts = [
            header.name if header else "",
            f"forms {', '.join(self.forms)}" if self.forms else "",
        ]
        given = f"{count(len(self.given), 'parameter')} given" if self.given else ""
        said = (*parts, given, f"seed {self.seed}")
        return f"{type(self).__name__}({'; '.join(part for part in said if part)})"

    @property
    def forms(self) -> tuple[str, ...]:
        """The names of the forms the model declares."""
        return tuple(form_names(self.document))

    def checked(self, form: str = "", relax: bool = False) -> CheckedModel:
        """The checked model in a form. Raises `ModelError`."""
        return self.compilation.checked(form, relax)

    def instance(self, form: str = "", relax: bool = False) -> Instance:
        """The model with the data that concern it, as arrays. Raises `ModelError`.

        A parameter that is given for nothing is an error that names its form.
        """
        symbols = self.checked(form, relax).model.symbols
        given = {
            name: value
            for name, value in self.given.items()
            if name in symbols or name not in self.elsewhere
        }
        try:
            return self.compilation.instance(given, form, relax, self.seed)
        except ModelError as error:
            raise ModelError(
                [self._with_form_of_name(diagnostic) for diagnostic in error.diagnostics]
            ) from None

    def across(self, forms: Iterable[str]) -> Self:
        """The same model, which takes data for parameters of any of the forms and uses them where
        they belong.
        """
        added = frozenset(name for form in forms for name in _parameters_of(self.document, form))
        return replace(self, elsewhere=self.elsewhere | added)

    def _with_form_of_name(self, diagnostic: Diagnostic) -> Diagnostic:
        """An unknown name (E303) with the form that declares it."""
        name = (
            diagnostic.message.split("`")[1]
            if diagnostic.code == "E303" and "`" in diagnostic.message
            else ""
        )
        declaring = [form for form in self.forms if name in _parameters_of(self.document, form)]
        if not declaring:
            return diagnostic
        return replace(
            diagnostic,
            help=f"form {' or '.join(declaring)} declares it: add `--form {declaring[0]}`",
        )

    def solve(
        self,
        backend: "str | Backend" = "auto",
        form: str = "",
        relax: bool = False,
        player: str = "",
        **options: Any,
    ) -> "Result":
        """Solve with a backend ("auto" chooses) and verify; options are those of `SolveOptions`.

        `player`: solve the own problem of this player of a game, with the others as `start` has
        them.

        Raises `ModelError` for faults of the model or its data, and if the backend cannot solve it.
        """
        from mecdsl.results.verify import on_original
        from mecdsl.solution import SolveOptions
        from mecdsl.solve import solve

        seconds = {"parse": self.parse_seconds}
        started = time.perf_counter()
        self.checked(form, relax)
        seconds["check"] = time.perf_counter() - started
        started = time.perf_counter()
        request = SolveOptions(**{"seed": self.seed, **options})
        instance = self.instance(form, relax)
        if player:
            from mecdsl.equilibria.alone import problem_alone

            instance = problem_alone(instance, player, request.start)
        analyse(instance)
        seconds["instantiate"] = time.perf_counter() - started
        try:
            result = solve(instance, backend, request)
        except ModelError as error:
            raise self._with_forms(error, backend) from None
        result = self._as_equilibrium(result, form, relax, request)
        original = None
        if (form or relax) and result.objective is not None:
            original = on_original(self.across([form]).instance(), result)
        return replace(
            result, original=original, relaxed=relax, seconds={**seconds, **result.seconds}
        )

    def _as_equilibrium(
        self, result: "Result", form: str, relax: bool, request: "SolveOptions"
    ) -> "Result":
        """The optimum of a potential with its certificate in the game that it is the potential
        of.
        """
        names = [part.strip() for part in form.replace("+", ",").split(",")]
        if Goal.POTENTIAL.value not in names or not result.verified or result.objective is None:
            return result
        rest = "+".join(name for name in names if name and name != Goal.POTENTIAL.value)
        game = self.instance(rest, relax)
        if not game.model.players:  # a form of the model's own that is called so
            return result
        from mecdsl.equilibria.play import certified_optimum
        from mecdsl.solve import solve

        return certified_optimum(game, result, request, solve)

    def _with_forms(self, error: ModelError, backend: "str | Backend") -> ModelError:
        """A refusal (E502) with the forms the backend would take."""
        from mecdsl.solve import find

        if any(diagnostic.code != "E502" for diagnostic in error.diagnostics) or backend == "auto":
            return error
        fitting = [form for form in self.forms if self._is_taken(backend, form)]
        if not fitting:
            return error
        first = error.diagnostics[0]
        more = (
            f"`{find(backend).name}` takes form {' or '.join(fitting)}: add `--form {fitting[0]}`"
        )
        return ModelError([replace(first, help=f"{first.help}; {more}" if first.help else more)])

    def _is_taken(self, backend: "str | Backend", form: str) -> bool:
        """Whether a backend takes a form; one with faults in these data is none to propose."""
        from mecdsl.solve import takes

        try:
            return takes(backend, self.instance(form))
        except ModelError:
            return False


def _parameters_of(document: syntax.Document, form: str) -> frozenset[str]:
    """The parameters that a form (or `a+b`) declares itself or through the forms it builds on."""
    forms = {s.name: s for s in document.statements if isinstance(s, syntax.Form)}
    todo, seen, parameters = (
        [one.strip() for one in form.replace("+", ",").split(",")],
        set[str](),
        set[str](),
    )
    while todo:
        name = todo.pop()
        if name in seen or name not in forms:
            continue
        seen.add(name)
        todo += [parent.name for parent in forms[name].parents]
        added = [
            change.statement for change in forms[name].changes if isinstance(change, syntax.Add)
        ]
        parameters |= {
            s.name
            for s in added
            if isinstance(s, syntax.Declaration) and s.kind is syntax.Kind.PARAM
        }
    return frozenset(parameters)
