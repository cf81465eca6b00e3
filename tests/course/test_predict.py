"""The box for predictions: nothing shows before one is committed, and errors never wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import HTML, display

from equivlab.course.predict import Predict, load_ipython_extension, predict
from tests.widgets.chromium import BROWSER, exported_page, in_browser
from tools.student import hold_back

SOURCE = """%%predict Is it even?
print("forty-two <is>")
display(HTML("<em>very</em>"))
print("odd" if 42 % 2 else "even")
"""


@pytest.fixture
def shell() -> Iterator[Any]:
    """An IPython of its own, as a notebook has."""
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    load_ipython_extension(made)
    made.user_ns |= {"display": display, "HTML": HTML}
    yield made
    InteractiveShell.clear_instance()


def run(shell: Any, cell: str) -> Any:
    return shell.run_cell(cell, silent=False)


def test_what_a_cell_shows_waits_in_the_box(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    box = predict(" Is it odd? ", "x = 41\nprint('x', x)\ndisplay(HTML('<b>41</b>'))")
    assert isinstance(box, Predict)
    assert box.question == "Is it odd?"
    assert not box.committed
    assert box._parts == [
        {"kind": "text", "data": "x 41\n"},
        {"kind": "html", "data": "<b>41</b>"},
    ]
    assert shell.user_ns["x"] == 41  # the cell ran where all cells run
    assert "x 41" not in capsys.readouterr().out
    data, _ = box._repr_mimebundle_()
    assert data["text/plain"] == "Predict('Is it odd?', 2 outputs, nothing committed yet)"
    box.close()
    run(shell, "%%predict Is it odd?\nprint('x', x)")
    assert "Out[0]: Predict('Is it odd?', 1 outputs, nothing" in capsys.readouterr().out


def test_an_error_shows_at_once_with_what_came_before(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(shell, "%%predict\nprint('before')\n1 / 0")
    assert isinstance(done.error_in_exec, ZeroDivisionError)
    said = capsys.readouterr().out
    assert said.startswith("before\n")
    assert said.count("Traceback") == 1
    assert isinstance(run(shell, "%%predict\n1 +").error_in_exec, SyntaxError)


def test_widgets_and_nothing_do_not_wait(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shell, "%%predict\nx = 1").result is None
    shown = run(shell, "%%predict\nfrom ipywidgets import IntSlider\nprint('a')\nIntSlider(3)")
    assert shown.result is None
    assert "a\n" in capsys.readouterr().out


def test_a_part_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'svg'"):
        Predict([{"kind": "svg", "data": ""}])


def test_the_students_notebook_asks_only_where_words_and_figures_wait() -> None:
    def code(output: dict[str, Any] | None, *tags: str) -> dict[str, Any]:
        outputs = [output] if output else []
        return {
            "cell_type": "code",
            "source": "f()",
            "metadata": {"tags": list(tags)},
            "outputs": outputs,
        }

    ask = {"cell_type": "markdown", "source": ["**Predict.** ", "Which?"], "metadata": {}}
    tell = {"cell_type": "markdown", "source": "Which?", "metadata": {}}
    words = {"output_type": "stream", "text": "a"}
    figure = {"output_type": "display_data", "data": {"text/plain": "<Figure size 1x1>"}}
    widget = {"output_type": "display_data", "data": {"text/plain": ["RotateImage(…)"]}}
    cells = [code(words), ask, code(words), ask, code(figure), ask, code(widget)]
    cells += [ask, code(words, "attempt"), ask, code(None), tell, code(words)]
    hold_back(cells)
    found = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    assert found[0] == "%load_ext equivlab.course.predict\n\nf()"
    assert found[1:] == ["%%predict\nf()", "%%predict\nf()", "f()", "f()", "f()", "f()"]


@in_browser
def test_in_an_exported_page_by_keyboard(tmp_path: Path) -> None:
    import nbformat

    plt.close("all")
    sources = ["from IPython.display import HTML\n%load_ext equivlab.course.predict", SOURCE]
    path = exported_page([nbformat.v4.new_code_cell(source) for source in sources], tmp_path)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = chromium.new_context(offline=True).new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        box = page.get_by_label("Is it even?")
        box.wait_for()
        shown = page.locator(".equivlab-predict")
        assert page.get_by_role("button", name="Commit").is_disabled()
        box.focus()
        page.keyboard.press("Enter")  # nothing was predicted yet
        assert "forty-two" not in shown.inner_text()
        page.keyboard.type("yes")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("& surely")
        assert "forty-two" not in shown.inner_text()
        page.keyboard.press("Enter")
        page.get_by_text("You predicted: yes").wait_for()
        text = shown.inner_text()
        assert "& surely" in text
        assert text.index("forty-two <is>") < text.index("very")
        assert page.get_by_role("textbox").count() == 0
        assert page.evaluate("document.activeElement.innerText").startswith("You predicted")
        assert said == []
        chromium.close()
