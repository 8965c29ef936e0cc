package timeline

import (
	"fmt"
	"testing"
	"time"

	"linger"
	"linger/audit"
	"linger/trace"
)

// collected is a timeline of so many connections of a second each, one every 10 ms.
func collected(n int) *Timeline {
	c := New()
	for i := range n {
		id, at := int64(i), linger.Instant(time.Duration(i)*10*time.Millisecond)
		c.Exchange(&trace.Exchange{Connection: id, Method: "GET", URL: fmt.Sprintf("http://a/%d?secret", i%9), Sent: linger.Known(at)})
		c.Connection(&trace.Connection{ID: id, Dialled: at, Closed: linger.Known(at.Add(time.Second))})
		r := audit.Row{ID: id, Opened: at, Requests: 1 + i%5, Client: fmt.Sprintf("10.0.%d.%d:99", i/250%250, i%250), Server: "192.0.2.1:80", Cause: audit.ServerIdle, Lasted: linger.Known(time.Second), Before: -1}
		if i == 0 {
			r.Cause = audit.First
		}
		c.Row(r)
	}
	return c.End(linger.Instant(n+100) * linger.Instant(10*time.Millisecond))
}

// Every connection is counted once, however many there are; what is kept singly is bounded, is
// the same again, and has those of findings.
func TestTimelineIsBounded(t *testing.T) {
	for _, n := range []int{0, 3, 1000, 100_000} {
		got, again := collected(n), collected(n)
		opened, closed := map[string]int{}, map[string]int{}
		for name, lanes := range map[string][]Lane{"origins": got.Origins, "clients": got.Clients} {
			if len(lanes) > MostLanes+1 {
				t.Errorf("%d: %d lanes", n, len(lanes))
			}
			for _, l := range lanes {
				for _, bins := range l.Opened {
					if len(bins) > got.Bins {
						t.Errorf("%d: %d bins of %d", n, len(bins), got.Bins)
					}
					for _, c := range bins {
						opened[name] += c
					}
				}
				for _, c := range l.Closed {
					closed[name] += c
				}
			}
			if opened[name] != n || closed[name] != n || got.Connections != n {
				t.Errorf("%d: %s: %d opened, %d closed, %d in all", n, name, opened[name], closed[name], got.Connections)
			}
		}
		carried, evidence := 0, 0
		for _, b := range got.Requests {
			carried += b.Connections
		}
		for i, s := range got.Singles {
			if s.Evidence {
				evidence++
			}
			if s.ID != again.Singles[i].ID || s.OriginLane >= len(got.Origins) || s.ClientLane >= len(got.Clients) {
				t.Fatalf("%d: connection %d is %+v, and %+v", n, i, s, again.Singles[i])
			}
		}
		if most := MostSingles + MostSingles/10; carried != n || len(got.Singles) > most || evidence != min(audit.Shown, max(0, n-1)) || got.Whole() != (n <= MostSingles) {
			t.Errorf("%d: %d carried requests, %d are kept singly, %d as evidence", n, carried, len(got.Singles), evidence)
		}
	}
}

// A path has no query, and is none where names are redacted.
func TestPaths(t *testing.T) {
	for url, want := range map[string]string{"http://a/b/c?d=e#f": "/b/c", "https://u:p@h?x": "/" + "", "http://h": "/", "/only?x": "/only", "dns://192.0.2.1/www.example?type=A": "/www.example"} {
		if url == "https://u:p@h?x" {
			want = ""
		}
		if got := pathOf(url); got != want {
			t.Errorf("%s: %q; want %q", url, got, want)
		}
	}
	c := New()
	c.Paths = false
	if got := c.text(&trace.Exchange{Method: "GET", URL: "http://a/secret"}); got != "GET" {
		t.Errorf("redacted it is %q", got)
	}
}
