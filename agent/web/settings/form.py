"""The kernel of all settings forms. A field's type in core.contract.setup says how it looks and which values it takes.

What was typed stays in the form until it is valid, and a sentence says what is wrong.
"""
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, ClassVar, NamedTuple

from msgspec import inspect
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.core.contract.setup import SECRETS, Changes
from agent.look.forms import title_of
from agent.look.words import PageWords
from agent.web.server.parts import Handlers, fields_of
from agent.web.server.words import View

HUB = "/settings"
LOOKS = {inspect.IntType: {"inputmode": "numeric", "maxlength": "5", "required": ""},
         inspect.FloatType: {"inputmode": "decimal", "required": ""}}
ABOUT = ("intro", "sentences", "below", "tried", "toggle", "others")        # what settings_form.html may show beside
WORD = {"autocapitalize": "none", "spellcheck": "false"}        # of a field for names and addresses


class BadForm(Exception):
    """What is wrong with a form: the key of a sentence below `problem`."""


class FormField(NamedTuple):
    """A field by its key in the change. `problem` is the sentence for a bad value, `said` the table of its label."""

    key: str
    problem: str
    fits: Callable[[Any], bool] = lambda value: True
    said: str = "settings"
    options: Sequence[tuple[str, str]] = ()         # of a choice, each with its name
    attrs: Mapping[str, str] = {}


class FormPage(Handlers):
    """A page with a form: shows the settings, and saves what was typed, or shows it again with what is wrong."""

    change: ClassVar[type[Changes]]
    fields: ClassVar[Sequence[FormField]] = ()
    template: ClassVar[str] = "settings_form.html"
    name: ClassVar[str] = "title"           # of its title, among the words of settings
    goal: ClassVar[str] = HUB

    async def save(self, request: Request) -> Response:
        return await self._saved(request, await fields_of(request))

    async def _saved(self, request: Request, form: Mapping[str, str]) -> Response:
        try:
            new = self._new(request, form)
            await self._try(form, new)
        except BadForm as problem:
            return await self.show(request, form, *problem.args)
        if not new:
            return RedirectResponse(self.goal, 303)
        wanted = self.change(**self._whose(request, form), **new)
        return await self._change(request, [wanted], self.goal, request.url.path)

    def _new(self, request: Request, form: Mapping[str, str]) -> dict[str, Any]:
        """Returns the keys that change. Raises BadForm."""
        return changed(self._holds(request), parsed(self.change, self.fields, form))

    def _holds(self, request: Request) -> Any:
        return getattr(self._settings, self.change.__struct_config__.tag)

    def _whose(self, request: Request, form: Mapping[str, str]) -> dict[str, str]:
        """Returns the keys that identify what the change is about."""
        return {}

    async def _try(self, form: Mapping[str, str], new: Mapping[str, Any]) -> None:
        """Tries the change before it is made. Raises BadForm."""

    async def _about(self, request: Request, form: Mapping[str, str] | None) -> dict[str, Any]:
        return {}

    async def show(self, request: Request, form: Mapping[str, str] | None = None, problem: str = "", detail: str = "",
                   status: int = 400) -> Response:
        problems = self._problem(request, problem) | ({"detail": detail} if detail else {})
        title = self._words(request)(f"settings.{self.name}")
        about = dict.fromkeys(ABOUT) | {"title": title} | await self._about(request, form)
        return self._show(request, self.template, status if problem else 200, fields=self._views(request, form),
                          untried=problem.startswith("broker_"), can_change=await self._can_change(request),
                          **problems, **about)

    def _views(self, request: Request, form: Mapping[str, str] | None) -> list[View]:
        words, holds = self._words(request), self._holds(request)
        return [_view(field, _type(self.change, field.key), holds, form, words) for field in self.fields]


def parsed(change: type[Changes], fields: Sequence[FormField], form: Mapping[str, str]) -> dict[str, Any]:
    """Returns the values of a form. Raises BadForm."""
    values = {}
    for field in fields:
        try:
            value = _parsed(_type(change, field.key), form.get(field.key))
        except ValueError:
            raise BadForm(field.problem) from None
        if not field.fits(value):
            raise BadForm(field.problem)
        values[field.key] = value
    return values


def changed(holds: object, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wanted.items() if getattr(holds, key, None) != value}


def number_from(text: str) -> float:
    """Returns a number with either decimal mark. Raises ValueError."""
    number = float(text.strip().replace(",", "."))
    if not isfinite(number):
        raise ValueError(text)
    return number


def _type(change: type[Changes], key: str) -> inspect.Type:
    """Returns the type of a key; FloatType if the number may have a fraction."""
    (field,) = (field for field in inspect.type_info(change).fields if field.name == key)
    return field.type.types[-1] if isinstance(field.type, inspect.UnionType) else field.type


def _parsed(kind: inspect.Type, text: str | None) -> Any:
    match kind:
        case inspect.BoolType():
            return text is not None
        case inspect.LiteralType(values=values):
            return values[values.index(text)]
        case inspect.IntType():
            if not text or not text.strip().isascii() or not text.strip().isdecimal() or len(text) > 5:
                raise ValueError(text)
            return int(text)
        case inspect.FloatType():
            number = number_from(text or "")
            return int(number) if number.is_integer() else round(number, 2)
        case inspect.StrType(max_length=most_n):
            value = title_of(text or "")
            if most_n is not None and len(value) > most_n:
                raise ValueError(value)
            return value
    raise TypeError(kind)


def _view(field: FormField, kind: inspect.Type, holds: Any, form: Mapping[str, str] | None,
          words: PageWords) -> View:
    """Returns a field for setup_parts.html (`entry`): `kind` is switch, choice or text."""
    key, label, help = field.key, f"{field.said}.{field.key}", words.texts.get(f"settings.{field.key}_help", "")
    value, look = getattr(holds, key, "") if form is None else form.get(key, ""), "text"
    if key in SECRETS:              # shows neither the stored value nor the typed one
        value, look, help = "", "password", help if getattr(holds, SECRETS[key]) else ""
    match kind:
        case inspect.BoolType():
            on = value if form is None else key in form
            return View(key=key, kind="switch", label=words(label), help=help, value=on)
        case inspect.LiteralType():
            return View(key=key, kind="choice", label=words(label), help=help, value=value, options=field.options)
        case inspect.FloatType() if form is None:
            value = words.number(value, 0 if float(value).is_integer() else 1)
    most = {"maxlength": kind.max_length} if isinstance(kind, inspect.StrType) else {}
    example = {"placeholder": words(f"{label}_example")} if f"{label}_example" in words.texts else {}
    attrs = {"autocomplete": "off", **most, **example, **LOOKS.get(type(kind), {}), **field.attrs}
    return View(key=key, kind="text", label=words(label), help=help, value=value, attrs=attrs, look=look)
