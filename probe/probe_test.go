package probe

import (
	"strings"
	"testing"
	"time"

	"linger/probe/dns"
	"linger/probe/http1"
)

// TestExperimentsKeepToTheBounds adds up what the experiments state.
func TestExperimentsKeepToTheBounds(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"http://127.0.0.1/", "https://127.0.0.1/", "dns://127.0.0.1"} {
		p, err := newProbe(Config{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		defer p.NoMore()
		requests, waiting, busiest := http1.ReachRequests, 1, 0
		if target == "dns://127.0.0.1" {
			requests = dns.ReachRequests
		}
		for _, e := range p.Chosen {
			requests += e.Requests
			if e.Waits {
				waiting += e.Connections
			} else {
				busiest = max(busiest, e.Connections)
			}
		}
		t.Logf("%s: %d requests, %d connections wait, %d more at a time are busy", target, requests, waiting, busiest)
		if requests > DefaultRequests {
			t.Errorf("%s: the experiments state %d requests, and %d are sent at most", target, requests, DefaultRequests)
		}
		if waiting+busiest > DefaultConnections {
			t.Errorf("%s: %d connections wait and %d more are busy, and %d are open at most", target, waiting, busiest, DefaultConnections)
		}
		plan, err := Plan(Config{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		if plan.Connections > DefaultConnections || plan.Requests != requests || plan.Longest > 100*time.Second {
			t.Errorf("%s: the plan is %+v", target, plan)
		}
	}
	less, err := Plan(Config{Target: "http://127.0.0.1/", Connections: 5, Requests: 20, MaxWait: time.Second})
	if err != nil || less.Connections != 5 || less.Requests != 20 || less.Longest > 30*time.Second {
		t.Errorf("the plan within tight bounds is %+v, %v", less, err)
	}
	if _, err := Plan(Config{Target: "ftp://127.0.0.1/"}); err == nil {
		t.Error("there is a plan for ftp")
	}
}

func TestTargetsThatCannotBeProbed(t *testing.T) {
	t.Parallel()
	for target, wrong := range map[string]string{
		"dns:///www.example":                "not what can be probed",
		"doq://192.0.2.1":                   "not what can be probed",
		"dns://192.0.2.1/example?class=CH":  "not what can be asked",
		"http://user:secret@192.0.2.1/path": "not sent from a URL",
	} {
		if _, err := newProbe(Config{Target: target}); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v, want %q", target, err, wrong)
		}
	}
}
