"""A hosted tool that no service has: all that ThreadBridge needs to know of it, in one module."""

from __future__ import annotations

from typing import Any

from threadbridge.ports import Event
from threadbridge.schemas.schema_types import Array, Choice, Object, String, build_variant
from threadbridge.translation.hosted_tools.hosted_tool import (
    HostedTool,
    HostedToolResources,
    HostedToolWriter,
    ToolFees,
)
from threadbridge.translation.probe_protocol import Finding, ProbeGenerator, ProbeOptions, judge_acceptance

_RESOURCES = Object({"stations": Array(String())})


def _normalize(tool: Any) -> Any:
    return {"type": "weather", "weather": {"unit": "celsius", **tool.get("weather", {})}}


def _build_request(tool: Any, resources: HostedToolResources, _model: str) -> Any:
    stations = resources.by_tool.get("weather", {}).get("stations", [])
    return {"type": "weather", "unit": tool["weather"]["unit"], "stations": stations}


class WeatherWriter(HostedToolWriter):
    """The place is streamed, the forecast comes with the finished item."""

    item_type = "weather_call"
    tool_type = "weather"
    _place = ""
    _forecast: str | None = None

    def add(self, fragment: str, /) -> list[Event]:
        self._place += fragment
        return [self._build_delta(place=fragment)]

    def build_empty_details(self) -> Any:
        return {"place": "", "forecast": None}

    def build_full_details(self) -> Any:
        return {"place": self._place, "forecast": self._forecast}

    def apply_item(self, item: Any) -> list[Event]:
        events = self.add(item["place"][len(self._place) :])
        self._forecast = item["forecast"]
        return [*events, self._build_delta(forecast=self._forecast)]

    def build_replay_item(self, item: Any) -> Any:
        return {name: value for name, value in item.items() if name != "map"}


def _strip_forecast(call: Any) -> Any:
    return {**call, "weather": {"place": call["weather"]["place"]}}


def _probe(options: ProbeOptions) -> ProbeGenerator[Finding]:
    return judge_acceptance((yield options.build_request(tools=[{"type": "weather"}])), "the tool")


WEATHER = HostedTool(
    type="weather",
    definition=build_variant({"weather": Object({"unit": Choice("celsius", "fahrenheit")})}),
    resources=_RESOURCES,
    normalize=_normalize,
    build_request=_build_request,
    include="weather_call.forecast",
    writer=WeatherWriter,
    fragment_event="response.weather_call.place.delta",
    strip_content=_strip_forecast,
    content_include="step_details.tool_calls[*].weather.forecast",
    is_replayable=lambda item, _container: item["place"] != "nowhere",
    capability="weather",
    probe=_probe,
    fees=ToolFees(call_name="weather_call", get_call_price=lambda _fees: 0.25),
)
