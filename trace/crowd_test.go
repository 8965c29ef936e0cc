package trace

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"linger"
)

// A crowd's record is read as it was written, to the nanosecond.
func TestCrowdsInDocuments(t *testing.T) {
	at := func(d time.Duration) linger.Opt[linger.Instant] { return linger.Known(linger.Instant(d)) }
	c := Crowd{
		Provenance: Measured, Engine: "lab", Workload: "api", Strategy: "keep:6", Seed: 1, Trial: 2,
		Network: linger.Network{Name: "x", RTT: 70 * time.Millisecond},
		Plan:    linger.Crowd{Clients: 2, Visits: 3, Think: linger.Think{Least: 5 * time.Second}, AddAt: time.Second},
		Ended:   linger.Instant(9*time.Second + 1),
		Visits: []Visit{
			{Wanted: 5, Done: at(time.Millisecond + 1), Requests: 4, Bytes: 10, Dialled: 1},
			{Client: 1, Number: 1, Share: 1, Wanted: 7, Failed: 2, Why: "reset"},
		},
		Connections: []CrowdConnection{{Client: 1, Server: 3, Dialled: 8, Established: at(9), Accepted: at(10), Closed: at(11), ClosedBy: AtServer, Reason: "idle", Requests: 2, Bytes: 3}},
		Samples: []CrowdSample{{
			At: 12, Client: Held{Sockets: 1, TimeWait: 2, Memory: linger.Known(int64(3))},
			Server: Held{Waiting: linger.Known(4), Taken: linger.Known(5), Busy: linger.Known(0), Queued: linger.Known(6)}, Servers: []Held{{Sockets: 7}},
		}},
		Every:    250*time.Millisecond + 1,
		Client:   linger.Known(Host{CPU: time.Millisecond}),
		Servers:  []Host{{CPU: 2 * time.Millisecond}},
		Lateness: linger.Known(Lateness{Packets: 4, Max: time.Microsecond}),
		Overrun:  true, Notes: []string{"a note"},
	}
	c.Serve(1, linger.Instant(time.Second))
	c.Serve(1, linger.Instant(2*time.Second-1))
	c.Serve(0, 0)
	if want := [][]int{{1}, {0, 2}}; !reflect.DeepEqual(c.Served, want) {
		t.Errorf("served %v; want %v", c.Served, want)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"every_us":250000.001`, `"ended_us":9000000.001`, `"think":{"least_us":5000000}`, `"add_backend_us":1000000`, `"done_us":1000.001`, `"busy":0`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("no %s in %s", part, b)
		}
	}
	var again Crowd
	if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("%+v, %v; want %+v", again, err, c)
	}
}

func TestBytesAreCountedByShareAndSecond(t *testing.T) {
	var c Crowd
	c.Receive(1, linger.Instant(time.Second), 10)
	c.Receive(1, linger.Instant(2*time.Second-1), 5)
	c.Receive(0, 0, 7)
	if want := [][]int64{{7}, {0, 15}}; !reflect.DeepEqual(c.Received, want) {
		t.Errorf("received %v; want %v", c.Received, want)
	}
}
