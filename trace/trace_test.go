package trace

import (
	"encoding/json"
	"testing"
	"time"
)

// Sockets that nobody counted are absent, not 0.
func TestSocketsThatWereNotCounted(t *testing.T) {
	for _, test := range []struct {
		host Host
		want string
	}{
		{Host{CPU: time.Millisecond}, `{"cpu_us":1000}`},
		{Host{SocketsPeak: 2, Samples: 3}, `{"cpu_us":0,"sockets_peak":2,"samples":3}`},
	} {
		if got, err := json.Marshal(test.host); err != nil || string(got) != test.want {
			t.Errorf("%s, %v; want %s", got, err, test.want)
		}
	}
}
