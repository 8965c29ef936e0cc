package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"linger/probe"
)

// probeCmd measures what a server does with connections.
type probeCmd struct {
	URL      string        `arg:"" help:"http or https URL."`
	MaxWait  time.Duration `default:"75s" placeholder:"D" help:"Wait that long at most for the server to end a connection; default 75s."`
	Patient  bool          `help:"Wait that long for each limit, not only until the one after a response is known."`
	Insecure bool          `short:"k" help:"Take any certificate."`
	Output   []string      `short:"o" placeholder:"FILE" help:"Write the result there; the ending says the format: .json; - is standard output."`
	JSON     bool          `help:"The same as -o -."`
}

// Run probes.
func (c probeCmd) Run(ctx context.Context, std streams) error {
	out, err := openOutputs(c.Output, c.JSON, std, ".json")
	if err != nil {
		return err
	}
	defer out.discard()
	policy, err := probe.Run(ctx, probe.Config{Target: c.URL, MaxWait: c.MaxWait, Patient: c.Patient, Insecure: c.Insecure})
	if err != nil {
		return err
	}
	policy.Linger = version
	return out.write(func(ending string, w io.Writer) error {
		if ending == ".json" {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			return e.Encode(policy)
		}
		for _, p := range policy.Protocols {
			fmt.Fprintf(w, "%s idle after a response: %s %v %s\n", p.Name, p.AfterResponse.State, time.Duration(p.AfterResponse.Median), p.AfterResponse.Ending)
		}
		return nil
	})
}
