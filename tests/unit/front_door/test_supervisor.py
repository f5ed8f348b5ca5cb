"""The processes that `up` runs."""

from hellotext_vtex.supervisor import Supervisor


async def test_children_run_the_code_of_their_parent(tmp_path, monkeypatch):
    """Also in a folder that holds another version of it: a house of two versions takes itself for one."""
    (tmp_path / "hellotext_vtex").mkdir()
    (tmp_path / "hellotext_vtex" / "__init__.py").touch()
    (tmp_path / "hellotext_vtex" / "cli.py").write_text("raise SystemExit(7)\n")
    monkeypatch.chdir(tmp_path)
    supervisor = Supervisor({"SANDBOX_PORT": "0"}, tmp_path / "logs", lambda *_: None)

    told = await supervisor.start("sandbox", "sandbox", "--json")
    await supervisor.stop()

    assert told["url"].startswith("http://127.0.0.1:")
