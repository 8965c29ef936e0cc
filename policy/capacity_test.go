package policy

import (
	"encoding/json"
	"testing"
	"time"
)

// The service time is in microseconds, and what is written is read again.
func TestCapacityInDocuments(t *testing.T) {
	for want, c := range map[string]Capacity{
		`{}`: {},
		`{"workers":20,"max_connections":100,"when_full":"close-idle","backlog":10,"cores":2,"service_us":5000.5}`: {
			Workers: 20, MaxConnections: 100, WhenFull: FullCloseIdle, Backlog: 10, Cores: 2, Service: 5*time.Millisecond + 500,
		},
	} {
		b, err := json.Marshal(c)
		if err != nil || string(b) != want {
			t.Errorf("%s, %v; want %s", b, err, want)
		}
		var again Capacity
		if err := json.Unmarshal(b, &again); err != nil || again != c {
			t.Errorf("%+v, %v; want %+v", again, err, c)
		}
	}
}
