// Package results holds results made up in memory, on which the tests of report's
// rooms stand.
package results

import (
	"time"

	"linger"
	"linger/assert"
	"linger/conformance"
	"linger/finding"
	"linger/profile"
)

const second = profile.Duration(time.Second)

func limit(d, doubt profile.Duration, e profile.Ending) profile.Timeout {
	return profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: d, Low: d, High: d, N: 3}, Uncertainty: doubt, Ending: e}
}

// Server is one of which there is something to say of each kind.
func Server() *profile.Profile {
	h1 := &profile.Protocol{
		Name: linger.HTTP11, Offered: true, AfterResponse: limit(5*second, second/500, profile.CloseNotify), AfterConnect: limit(60*second, second/50, profile.FIN),
		AfterTLS: profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: 75 * second}}, Age: profile.Timeout{State: profile.Unknown, Why: "the bound of requests was reached; --requests raises it"},
		Requests:   profile.Count{State: profile.AtLeast, N: 80},
		Pipelining: &profile.Pipelining{State: profile.Measured, Sent: 8, Answered: 8, InOrder: linger.Known(true)},
	}
	h1.Announced = profile.Announced{Connection: "keep-alive", KeepAlive: "timeout=65, max=100", Timeout: linger.Known(65 * second), Max: linger.Known(100)}
	h2 := &profile.Protocol{
		Name: linger.H2, Offered: true, AfterResponse: profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: 7 * second, Low: 5 * second, High: 10 * second, N: 4}, Uncertainty: second / 200, Ending: profile.GOAWAY},
		Requests: profile.Count{State: profile.Measured, N: 1000},
	}
	h2.Announced.Settings = map[string]uint64{"SETTINGS_MAX_CONCURRENT_STREAMS": 128}
	h3 := &profile.Protocol{Name: linger.H3, Declined: true, Why: "not offered: nothing listens there"}
	result := func(id string, o profile.Outcome, text string) profile.Result {
		return profile.Result{Case: conformance.CaseByID(id), Outcome: o, Text: text}
	}
	return &profile.Profile{
		Format: profile.Format, Linger: "test", Provenance: "measured", Target: `https://example.org/a?b=<"c">&d\`, Address: "192.0.2.1:443", Software: "nginx/1.22.1",
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 15*second + 3*second/10, RTT: profile.Spread{Median: second / 50, Low: second / 52, High: second / 48, N: 3},
		Spent: profile.Spent{Connections: 57, Peak: 28, Requests: 132}, Bounds: profile.Bounds{Connections: 40, Requests: 200, Wait: 75 * second},
		Baseline: profile.Baseline{Status: 200, Bytes: 612}, Protocols: []*profile.Protocol{h1, h2, h3}, Parallel: profile.Count{State: profile.AtLeast, N: 20},
		TLS:    &profile.TLS{Versions: []string{"1.3", "1.2"}, ALPN: []string{linger.H2.ALPN(), linger.HTTP11.ALPN()}, Tickets: profile.Count{State: profile.Measured, N: 2}, Lifetime: linger.Known(7200 * second), Resumes: linger.Known(true), Early: linger.Known(false)},
		AltSvc: &profile.AltSvc{Value: `h3=":443"`, Works: linger.Known(false), Why: "no answer"},
		Survives: []profile.Survival{
			{What: "GET 200", State: profile.Measured, Kept: true}, {What: "POST 405", State: profile.Measured, Said: "close"}, {What: "slow body", State: profile.Unknown, Why: "no answer"},
		},
		Cases: []profile.Result{
			result("close-honoured", profile.Pass, "closed after 0.2 ms"), result("pipeline-order", profile.Fail, "of 8 requests \x1b[31mthe third was answered first\uffff"),
			result("timeout-honoured", profile.Warn, "65 s were announced, and 4.998–5.002 s observed"), result("idle-answered", profile.NotMeasured, "the server gave no occasion"),
		},
		Asserted: []assert.Result{{Text: "idle>=5s", Truth: assert.Holds}, {Text: `idle_tls>=90s && software=="x"`, Truth: assert.NotKnown, Why: "idle_tls is at least 75 s"}},
		Caveats:  []finding.Caveat{{Code: profile.EndedEarly, Figures: finding.Figures{finding.Number("after", 100_000, "ms")}}},
	}
}

// Servers is a list with one that fails, one that cannot be reached, and a bad line.
func Servers() []profile.Probed {
	good := Server()
	good.Target, good.Cases, good.Asserted = "http://good.example/", good.Cases[:1], good.Asserted[:1]
	return []profile.Probed{
		{Line: 1, Target: Server().Target, Profile: Server()}, {Line: 2, Target: good.Target, Profile: good},
		{Line: 4, Target: "http://127.0.0.1:1/", Failed: "cannot connect to 127.0.0.1:1: connection refused"}, {Line: 5, Target: "nonsense", Failed: "\"nonsense\" is not what can be probed"},
	}
}
