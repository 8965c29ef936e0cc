package change

import (
	"testing"

	"linger"
	"linger/audit"
)

// Shares and figures of a request are held against each other, sums are not.
func TestOf(t *testing.T) {
	before := &audit.Result{
		Files: []string{"before.pcap"}, Exchanges: 100, Opened: 50, Avoidable: 40, Reuse: linger.Known(0.5), Waiting: linger.Known(2000.0),
		Causes: []audit.CauseRow{{Cause: audit.ServerIdle, Connections: 40}, {Cause: audit.First, Connections: 10}},
	}
	after := &audit.Result{
		Files: []string{"after.pcap"}, Exchanges: 1000, Opened: 10, Reuse: linger.Known(0.99),
		Causes: []audit.CauseRow{{Cause: audit.First, Connections: 10}},
	}
	c := Of(before, after)
	if c.Format != Format || c.Before != "before.pcap" || c.After != "after.pcap" {
		t.Errorf("%+v", c)
	}
	unknown := linger.Opt[float64]{}
	for name, want := range map[string][2]linger.Opt[float64]{
		"requests":                {linger.Known(100.0), linger.Known(1000.0)},
		"reuse":                   {linger.Known(0.5), linger.Known(0.99)},
		"avoidable_share":         {linger.Known(0.8), linger.Known(0.0)},
		"waiting_per_request":     {linger.Known(20.0), unknown},
		"requests_per_connection": {unknown, unknown},
	} {
		found := false
		for _, r := range c.Rows {
			if r.Name == name {
				found = true
				if r.Before != want[0] || r.After != want[1] {
					t.Errorf("%+v; want %v", r, want)
				}
			}
		}
		if !found {
			t.Errorf("no %s", name)
		}
	}
	causes := map[string]Row{}
	for _, r := range c.Causes {
		causes[r.Name] = r
	}
	if len(causes) != 2 || causes[string(audit.ServerIdle)].Before != linger.Known(0.8) || causes[string(audit.ServerIdle)].After != linger.Known(0.0) || causes[string(audit.First)].After != linger.Known(1.0) {
		t.Errorf("%+v", c.Causes)
	}
	// Of nothing, no share is known.
	for _, r := range Of(&audit.Result{}, &audit.Result{}).Rows {
		if r.Unit == "share" && (!r.Before.IsZero() || !r.After.IsZero()) {
			t.Errorf("%+v", r)
		}
	}
}
