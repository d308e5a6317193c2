"""What every route has: the error object, ids and times in headers, limits, status pages."""

import pytest

from frontend_api.domain.model import ServedModel
from tests.web.fakes import DEMO, FakeCatalogue, FakeGenerator, words
from tests.web.running import ask, running_app, settings

URL = "/v1/chat/completions"
KEYS = {"message", "type", "param", "code"}


async def test_an_unknown_url_is_a_404_error_object() -> None:
    async with running_app() as client:
        response = await client.post("/v1/foo")
        error = (await response.get_json())["error"]

    assert response.status_code == 404
    assert error["message"] == "Invalid URL (POST /v1/foo)"
    assert set(error) == KEYS


async def test_a_wrong_method_is_a_405_with_the_right_ones() -> None:
    async with running_app() as client:
        response = await client.get(URL)
        error = (await response.get_json())["error"]

    assert response.status_code == 405
    assert "POST" in response.headers["allow"]
    assert set(error) == KEYS


async def test_a_body_over_the_limit_is_a_413() -> None:
    async with running_app(chosen=settings(limits={"max_body_bytes": 100})) as client:
        response = await client.post(URL, json=ask("x" * 100))
        error = (await response.get_json())["error"]

    assert response.status_code == 413
    assert error["code"] == "content_too_large"


async def test_a_fault_of_ours_is_a_500_without_its_text() -> None:
    class Broken(FakeCatalogue):
        def get(self, name: str) -> ServedModel:
            raise ZeroDivisionError("secret")

    async with running_app(catalogue=Broken()) as client:
        response = await client.post(URL, json=ask())
        body = await response.get_data(as_text=True)

    assert response.status_code == 500
    assert "secret" not in body
    assert '"code":"internal_error"' in body


async def test_a_sane_request_id_is_kept() -> None:
    async with running_app() as client:
        response = await client.get("/health", headers={"x-request-id": "abc-123"})

    assert response.headers["x-request-id"] == "abc-123"
    assert int(response.headers["openai-processing-ms"]) >= 0


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é"])
async def test_a_request_id_that_is_not_sane_is_replaced(given: str) -> None:
    async with running_app() as client:
        response = await client.get("/health", headers={"x-request-id": given})

    assert response.headers["x-request-id"].startswith("req_")


async def test_models_are_listed_in_openai_form() -> None:
    async with running_app() as client:
        listed = await (await client.get("/v1/models")).get_json()
        one = await (await client.get("/v1/models/demo")).get_json()

    assert listed == {"object": "list", "data": [one]}
    assert one["id"] == "demo"
    assert one["object"] == "model"
    assert one["created"] == DEMO.created
    assert one["owned_by"] == "conch"
    assert one["x_conch"]["engine"] == "fake"


async def test_an_unknown_model_page_is_a_404() -> None:
    async with running_app() as client:
        response = await client.get("/v1/models/other")
        error = (await response.get_json())["error"]

    assert response.status_code == 404
    assert (error["param"], error["code"]) == ("model", "model_not_found")


async def test_health_says_ok_with_uptime_and_time() -> None:
    async with running_app() as client:
        health = await (await client.get("/health")).get_json()

    assert health == {
        "status": "ok",
        "uptime": 0.0,
        "timestamp": "2023-11-14T22:13:20.500000+00:00",
    }


async def test_readiness_is_503_with_a_reason_until_a_model_is_ready() -> None:
    catalogue = FakeCatalogue(ServedModel("demo", state="loading"))
    async with running_app(catalogue=catalogue) as client:
        before = await client.get("/readiness")
        catalogue.models["demo"] = DEMO
        after = await client.get("/readiness")

        assert before.status_code == 503
        assert (await before.get_json())["reason"] == "no model is ready"
        assert before.headers["retry-after"] == "1"
        assert after.status_code == 200
        assert (await after.get_json())["models_available"] == 1


async def test_metrics_count_requests_tokens_and_times() -> None:
    async with running_app(FakeGenerator(words("a", "b"))) as client:
        await client.post(URL, json=ask())
        page = await (await client.get("/metrics")).get_data(as_text=True)

    assert 'conch_http_requests_total{route="/v1/chat/completions",status="200"} 1.0' in page
    assert 'conch_tokens_total{kind="completion",model="demo"} 2.0' in page
    assert 'conch_time_to_first_token_seconds_count{model="demo"} 1.0' in page
    assert 'conch_generations_in_flight{model="demo"} 0.0' in page


async def test_metrics_can_be_turned_off() -> None:
    off = settings(observability={"enable_metrics": False})
    async with running_app(chosen=off) as client:
        response = await client.get("/metrics")

    assert response.status_code == 404
