package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"linger"
)

// A Full says what a server does with a connection for which it has no room.
type Full string

const (
	FullWait      Full = "wait"       // the empty one, too: it waits in the kernel's accept queue
	FullRefuse    Full = "refuse"     // it is taken and closed at once
	FullCloseIdle Full = "close-idle" // the one that has been idle for longest gives way; else it waits
)

// A Capacity is what a server as a whole has for its connections; a zero limit is none.
type Capacity struct {
	// Workers is how many connections are served at once, each holding a worker from when it is
	// taken until it closes, idle or not: Apache prefork, gunicorn's sync, PHP-FPM behind it.
	Workers int `json:"workers,omitempty"`
	// MaxConnections is how many may be open at once; WhenFull is what becomes of the next.
	MaxConnections int  `json:"max_connections,omitempty"`
	WhenFull       Full `json:"when_full,omitempty"`
	// Backlog is how many the kernel completes and holds until the server takes them, as in
	// listen(2); 0 is the system's own, 4,096 on Linux.
	Backlog int `json:"backlog,omitempty"`
	// Service is how long a request takes of one of so many Cores, first come, first served; 0
	// Cores are one. What a response waits besides (linger.Exchange's Delay) begins when the
	// core is done, and holds none. Of a server without Service no request waits for another.
	Service time.Duration `json:"service_us,omitempty"`
	Cores   int           `json:"cores,omitempty"`
}

// DefaultBacklog is how many connections wait where nothing is said (Linux,
// net.core.somaxconn since 5.4).
const DefaultBacklog = 4096

// Validate reports the first limit that no server can have.
func (c Capacity) Validate() error {
	switch {
	case !slices.Contains([]Full{"", FullWait, FullRefuse, FullCloseIdle}, c.WhenFull):
		return fmt.Errorf("unknown %q of a connection without room; known: %s, %s, %s", c.WhenFull, FullWait, FullRefuse, FullCloseIdle)
	case c.WhenFull != "" && c.WhenFull != FullWait && c.MaxConnections == 0:
		return fmt.Errorf("nothing is ever full without a limit; say how many --max-connections may be open")
	case c.Workers < 0 || c.MaxConnections < 0 || c.Backlog < 0 || c.Cores < 0 || c.Service < 0:
		return fmt.Errorf("a server's limit below nothing; leave it out for none")
	case c.Cores > 0 && c.Service == 0:
		return fmt.Errorf("%d cores without work for them; give each request some --service time", c.Cores)
	case c.Workers > linger.MaxClients || c.MaxConnections > linger.MaxClients || c.Backlog > 1<<16-1 || c.Cores > 1024:
		return fmt.Errorf("a server of more than %d workers or connections, 65535 in its backlog or 1024 cores; give less", linger.MaxClients)
	}
	return nil
}

// MarshalJSON writes the service time in microseconds, as linger.Micros.
func (c Capacity) MarshalJSON() ([]byte, error) {
	type plain Capacity
	return json.Marshal(struct {
		plain
		Service linger.Micros `json:"service_us,omitempty"`
	}{plain(c), linger.Micros(c.Service)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Capacity) UnmarshalJSON(b []byte) error {
	type plain Capacity
	return json.Unmarshal(b, &struct {
		*plain
		Service *linger.Micros `json:"service_us"`
	}{(*plain)(c), (*linger.Micros)(&c.Service)})
}
