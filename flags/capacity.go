package flags

import (
	"fmt"

	"linger/fault"
	"linger/policy"
)

// CapacityFlags are what the origin has for its connections; the same in every verb.
type CapacityFlags struct {
	ServerWorkers  *int   `placeholder:"N" help:"The origin serves N connections at once: each holds a worker from its accept to its close, idle or not. The rest wait in the accept queue."`
	MaxConnections *int   `placeholder:"N" help:"The origin has N connections open at once; 0 is no limit. Where nothing is said, serve has 10,000, and no limit elsewhere."`
	WhenFull       string `enum:"wait,refuse,close-idle" default:"wait" placeholder:"wait|refuse|close-idle" help:"What becomes of the next connection when --max-connections are open: it waits in the accept queue, is closed at once, or the one that has been idle for longest is closed for it. Default wait."`
	Backlog        Count  `placeholder:"N" help:"How many connections the system holds until the origin takes them, as in listen(2); default is the system's own."`
	Service        string `placeholder:"D" help:"How long each request takes of one of the origin's cores, as 5ms; requests wait for one in turn."`
	Cores          Count  `placeholder:"N" help:"How many cores the origin has for --service; default 1."`
}

// Parse returns the capacity; most is how many connections may be open where nothing is said.
func (f CapacityFlags) Parse(most int) (policy.Capacity, error) {
	c := policy.Capacity{MaxConnections: most, WhenFull: policy.Full(f.WhenFull), Backlog: int(f.Backlog), Cores: int(f.Cores)}
	if c.WhenFull == policy.FullWait {
		c.WhenFull = ""
	}
	if n := f.ServerWorkers; n != nil {
		if *n < 1 {
			return c, fault.Usage("--server-workers: a server with %d workers serves nobody; give 1 or more", *n)
		}
		c.Workers = *n
	}
	if n := f.MaxConnections; n != nil {
		if *n < 0 {
			return c, fault.Usage("--max-connections: %d; give 1 or more, or 0 for no limit", *n)
		}
		c.MaxConnections = *n
	}
	if f.Service != "" {
		d, err := Duration(f.Service)
		if err != nil || d <= 0 {
			return c, fault.Usage("--service: %q is not a time to work; write 5ms", f.Service)
		}
		c.Service = d
	}
	if err := c.Validate(); err != nil {
		return c, fault.Usage("%w", err)
	}
	return c, nil
}

// Words are the flags that were given.
func (f CapacityFlags) Words() []string {
	var words []string
	for _, n := range []struct {
		flag  string
		value *int
	}{{"--server-workers", f.ServerWorkers}, {"--max-connections", f.MaxConnections}} {
		if n.value != nil {
			words = append(words, n.flag, fmt.Sprint(*n.value))
		}
	}
	return append(words, Settings([][3]string{
		{"--when-full", f.WhenFull, string(policy.FullWait)}, {"--backlog", fmt.Sprint(f.Backlog), "0"},
		{"--service", f.Service, ""}, {"--cores", fmt.Sprint(f.Cores), "0"},
	})...)
}
