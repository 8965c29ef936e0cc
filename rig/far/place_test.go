package far

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/rig/host"
)

func TestServersOfManyOrigins(t *testing.T) {
	w := linger.Workload{Name: "many", Scheme: "http"}
	for i := range linger.MaxOrigins {
		w.Origins = append(w.Origins, linger.Origin{Name: fmt.Sprintf("h%d.example", i), ExtraRTT: linger.Known(time.Duration(i*7919%linger.MaxOrigins) * time.Millisecond)})
		w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "GET", Origin: i, Path: "/", Status: 200, ResponseBody: 1000, Parent: linger.NoParent})
	}
	servers, note := Place(w)
	seen := map[int]bool{}
	for i, s := range servers {
		for _, o := range s.Origins {
			seen[o] = true
			if off := (w.Origins[o].ExtraRTT.Or(0) - 2*s.Delay).Abs(); off > 8*time.Millisecond {
				t.Errorf("origin %d is %v off", o, off)
			}
		}
		if i == 0 && (s.Name != host.Origin || !slices.Contains(s.Origins, 0)) {
			t.Errorf("the first host is %+v", s)
		}
	}
	if len(servers) != mostServers || len(seen) != len(w.Origins) || !strings.Contains(note, "256 origins share the lab's 16 server hosts") {
		t.Errorf("%d hosts, %d origins, %q", len(servers), len(seen), note)
	}
}
