"""The backend directory is made of the installed wheel and this repository's `llm`."""

from pathlib import Path

from scripts.launcher.backend_folder import backend_folder, find_triton, library_path

LLM = Path(__file__).parents[3] / "triton_backend" / "llm"


def test_the_folder_holds_the_python_backend_with_its_stub_and_llm_only_while_used(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "backends"

    with backend_folder(folder, find_triton(), LLM):
        python = {path.name for path in (folder / "python").iterdir()}
        model = (folder / "llm" / "model.py").resolve()

    assert {"libtriton_python.so", "triton_python_backend_stub"} <= python
    assert model == LLM / "model.py"
    assert not folder.exists()


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    stale = tmp_path / "backends" / "stale"
    stale.mkdir(parents=True)

    with backend_folder(tmp_path / "backends", find_triton(), LLM):
        assert not stale.exists()


def test_the_libraries_of_the_wheel_are_on_the_library_path() -> None:
    folders = [Path(folder) for folder in library_path(find_triton()).split(":")]

    assert list(folders[0].glob("libtritonserver-*.so"))
    assert all(folder.is_dir() for folder in folders)
