package rig

import (
	"context"
	"math"
	"path/filepath"
	"testing"
	"time"

	"linger"
)

// Pages that browsers have recorded are predicted whole, by every strategy, each of
// their origins with connections of its own.
func TestRecordedPagesArePredicted(t *testing.T) {
	files, err := filepath.Glob(recordings)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no recordings beside the checkout")
	}
	for _, file := range files {
		w, _ := readWorkload(t, file)
		strategies, err := linger.ParseStrategies("close,close:6,keep,keep:6,pipeline,h2,h3,h2+resume,h3+0rtt")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range strategies {
			for _, loss := range []float64{0, 0.01} {
				tr, err := Sim{Version: testVersion}.Run(context.Background(), linger.Scenario{Workload: w, Strategy: s, Network: on(70*time.Millisecond, 12*linger.Mbps, loss), Seed: 1}, 0)
				if err != nil {
					t.Errorf("%s by %s: %v", w.Name, s.Name, err)
					continue
				}
				origins := map[string]bool{}
				for i, x := range tr.Exchanges {
					if x.Failed != "" || x.Status != w.Exchanges[i].Status {
						t.Errorf("%s by %s: exchange %d: status %d, %q", w.Name, s.Name, i, x.Status, x.Failed)
					}
					if k := tr.Connections[x.Connection]; k.Origin != w.Authority(i) && w.OriginCount() > 1 {
						t.Errorf("%s by %s: exchange %d of %s on a connection to %s", w.Name, s.Name, i, w.Authority(i), k.Origin)
					}
					origins[w.Authority(i)] = true
				}
				if n := len(tr.Connections); s.Multiplexed && s.Persistent && n != len(origins) {
					t.Errorf("%s by %s: %d connections to %d origins", w.Name, s.Name, n, len(origins))
				}
			}
		}
	}
}

// One origin is told apart from a second that is further off, in both worlds: what they
// open, and what they carry.
func TestOriginsArePredictedAsTheLabHasThem(t *testing.T) {
	needLab(t)
	t.Parallel()
	page := linger.Workload{Name: "origins", Scheme: "https", Origins: []linger.Origin{
		{Name: "www.example"}, {Name: "img.example", ExtraRTT: linger.Known(30 * time.Millisecond)}, {Name: "cdn.example:8443"},
	}}
	page.Exchanges = append(page.Exchanges, linger.Exchange{Method: "GET", Path: "/", Status: 200, ResponseBody: 20_000, Parent: linger.NoParent})
	for i := range 9 {
		page.Exchanges = append(page.Exchanges, linger.Exchange{Method: "GET", Path: "/" + string(rune('a'+i)), Status: 200, ResponseBody: 9000, Parent: 0, At: 1000, Origin: i % 3})
	}
	for _, name := range []string{"close", "keep:2", "h2", "h3"} {
		s, err := linger.ParseStrategy(name)
		if err != nil {
			t.Fatal(err)
		}
		cell{page, s, on(40*time.Millisecond, 12*linger.Mbps, 0)}.isPredicted(t, 0.1, 0.01)
	}
}

// Names are looked up as often, and with as many bytes, as in the lab.
func TestNamesArePredictedAsTheLabHasThem(t *testing.T) {
	needLab(t)
	t.Parallel()
	strategies, err := linger.ParseStrategies("udp,tcp,tcp+keep,tcp+pipeline,dot+keep,doh+keep,doq+keep")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strategies {
		sc := linger.Scenario{Workload: linger.Names(), Strategy: s, Network: on(20*time.Millisecond, 12*linger.Mbps, 0), Seed: 1}
		predicted, err := Sim{Version: testVersion}.Run(context.Background(), sc, 0)
		if err != nil {
			t.Fatal(err)
		}
		measured, err := Lab{Version: testVersion, Lost: func(error) {}}.Run(context.Background(), sc, 0)
		if err != nil {
			t.Fatal(err)
		}
		p, m := sight(predicted), sight(measured)
		t.Logf("%s: time %+.1f %%, packets %+.1f %%, bytes %+.1f %%", s.Name, 100*off(m.time, p.time), 100*off(m.packets, p.packets), 100*off(m.wire, p.wire))
		if m.connections != p.connections || math.Abs(off(m.wire, p.wire)) > 0.05 {
			t.Errorf("%s: %v connections and %v bytes, predicted %v and %v", s.Name, m.connections, m.wire, p.connections, p.wire)
		}
		for i, x := range predicted.Exchanges {
			y := measured.Exchanges[i]
			if x.Rcode != y.Rcode || x.RequestBody != y.RequestBody || x.ResponseBody != y.ResponseBody || x.Method != y.Method {
				t.Errorf("%s: query %d: %s %d up %d down, predicted %s %d %d", s.Name, i, y.Rcode, y.RequestBody, y.ResponseBody, x.Rcode, x.RequestBody, x.ResponseBody)
			}
		}
	}
}
