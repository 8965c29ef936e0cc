package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"linger"
	"linger/live"
	"linger/origin"
	"linger/policy"
)

// hostCmd is what this program does as a host of a lab: client and origin are
// processes of their own, so that neither shares a scheduler or a garbage
// collector with the other or with the pump. Each is told what to do in JSON on
// its standard input and answers in JSON on its standard output.
type hostCmd struct {
	Origin hostOriginCmd `cmd:"" help:"Serve until standard input ends."`
	Client hostClientCmd `cmd:"" help:"Run one scenario."`
}

// congestion is the algorithm on both sides, whatever this machine's default:
// what Linux has used since 2.6.19, and what most servers run.
const congestion = "cubic"

// originOrder is what the origin of a lab is told.
type originOrder struct {
	Workload linger.Workload     `json:"workload"`
	Policy   policy.ServerPolicy `json:"policy"`
	Port     int                 `json:"port"`
}

// originReady says that the origin accepts connections.
type originReady struct {
	Address string `json:"address"`
}

// originSeen is what the origin says at its end.
type originSeen struct {
	origin.Counters
	// Requests is how many requests each connection carried, by the client's
	// IP:port.
	Carried map[string]int `json:"carried"`
}

// shutdownWithin bounds how long requests under way may take when a server ends.
const shutdownWithin = 5 * time.Second

type hostOriginCmd struct{}

func (hostOriginCmd) Run(ctx context.Context, std streams) error {
	// The terminal's Ctrl-C is for the owner of the lab, who ends us by closing our input.
	signal.Ignore(os.Interrupt)
	in := json.NewDecoder(std.in)
	var order originOrder
	if err := in.Decode(&order); err != nil {
		return fmt.Errorf("host origin: no order on standard input: %w", err)
	}
	seen := originSeen{Carried: map[string]int{}}
	var mu sync.Mutex
	server, err := origin.New(origin.Config{Workload: order.Workload, Policy: order.Policy, Log: func(e origin.Entry) {
		if e.Event == origin.Answered {
			mu.Lock()
			seen.Carried[e.Remote]++
			mu.Unlock()
		}
	}})
	if err != nil {
		return err
	}
	ln, err := origin.Listen(ctx, fmt.Sprintf(":%d", order.Port), congestion)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	out := json.NewEncoder(std.out)
	if err := out.Encode(originReady{ln.Addr().String()}); err != nil {
		return err
	}
	io.Copy(io.Discard, std.in)
	stop, cancel := context.WithTimeout(ctx, shutdownWithin)
	defer cancel()
	// What a client has left open is cut off: nobody reads it any more.
	server.Shutdown(stop)
	if err := <-served; err != nil {
		return err
	}
	seen.Counters = server.Counters()
	return out.Encode(seen)
}

// clientOrder is what the client of a lab is told.
type clientOrder struct {
	Scenario linger.Scenario `json:"scenario"`
	Address  string          `json:"address"` // IP:port of the origin
	Host     string          `json:"host"`
}

type hostClientCmd struct{}

func (hostClientCmd) Run(ctx context.Context, std streams) error {
	signal.Ignore(os.Interrupt)
	var order clientOrder
	if err := json.NewDecoder(std.in).Decode(&order); err != nil {
		return fmt.Errorf("host client: no order on standard input: %w", err)
	}
	t, err := live.Run(ctx, order.Scenario, live.Config{
		Address:    order.Address,
		Host:       order.Host,
		Agent:      agent(),
		Verify:     true,
		Congestion: congestion,
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(std.out).Encode(t)
}

// agent is what this program calls itself in User-Agent.
func agent() string { return "linger/" + version }
