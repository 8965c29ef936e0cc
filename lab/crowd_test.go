package lab

import (
	"testing"
	"time"

	"linger"
)

// Loads at one moment on links of their own ask for most; what spreads them lets the lab carry
// more.
func TestCrowdCapacity(t *testing.T) {
	lte, err := linger.ParseNetwork("lte")
	if err != nil {
		t.Fatal(err)
	}
	clear := linger.Gallery(1)
	clear.Scheme = linger.SchemeHTTP
	beacon := clear
	beacon.Exchanges = clear.Exchanges[:1]
	mix, err := linger.ParseMix("keep:6,close:6=3")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name         string
		workload     linger.Workload
		strategy     string
		crowd        linger.Crowd
		cores        int
		surely, most int
	}{
		{"at one moment", clear, "keep:6", linger.Crowd{}, 2, 58, 104},
		{"by TLS", linger.Gallery(1), "keep:6", linger.Crowd{}, 2, 30, 55},
		{"closing", clear, "close:6", linger.Crowd{}, 2, 57, 103},
		{"closing, by TLS", linger.Gallery(1), "close:6", linger.Crowd{}, 2, 16, 29},
		{"by HTTP/2", linger.Gallery(1), string(linger.H2), linger.Crowd{}, 2, 53, 96},
		{"by HTTP/3", linger.Gallery(1), string(linger.H3), linger.Crowd{}, 2, 17, 32},
		{"a mix", linger.Gallery(1), "keep:6", linger.Crowd{Mix: mix}, 2, 16, 29},
		{"on more cores", clear, "keep:6", linger.Crowd{}, 8, 233, 419},
		{"on none", clear, "keep:6", linger.Crowd{}, 0, 29, 52},
		{"one object", beacon, "keep:6", linger.Crowd{}, 2, 274, 493},
		{"that come by and by", clear, "keep:6", linger.Crowd{Arrivals: 5, Visits: 1}, 2, mostClients, mostClients},
		{"that come faster than they are served", clear, "keep:6", linger.Crowd{Arrivals: 500, Visits: 1}, 2, 58, 104},
		{"that come again", clear, "keep:6", linger.Crowd{Arrivals: 5, Visits: 4, Think: linger.Think{Least: 5 * time.Second}}, 2, 521, 937},
		{"behind one bottleneck", clear, "keep:6", linger.Crowd{Shared: true}, 2, mostClients, mostClients},
	} {
		strategy, err := linger.ParseStrategy(tt.strategy)
		if err != nil {
			t.Fatal(err)
		}
		s := linger.Scenario{Workload: tt.workload, Strategy: strategy, Network: lte}
		if surely, most := CrowdCapacity(s, tt.crowd, tt.cores); surely != tt.surely || most != tt.most {
			t.Errorf("%s: got %d to %d, want %d to %d", tt.name, surely, most, tt.surely, tt.most)
		}
	}
	if surely, most := CrowdCapacity(linger.Scenario{Workload: clear}, linger.Crowd{}, 2); surely != 1 || most != 1 {
		t.Errorf("without a bound of the rate: got %d to %d, want 1", surely, most)
	}
}
