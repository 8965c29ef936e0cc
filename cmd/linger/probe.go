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
	URL      string        `arg:"" optional:"" help:"http or https URL."`
	Chain    string        `sep:"none" placeholder:"HOPS" help:"Instead of a URL, the hops from client to application, as client=90s,https://lb,http://app:8080: is each one's idle limit shorter than that of the next? See docs/keepalive.md."`
	Assert   string        `placeholder:"WHAT" help:"Of a chain: right; exit status 1 if it is not."`
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
	config := probe.Config{Target: c.URL, MaxWait: c.MaxWait, Patient: c.Patient, Insecure: c.Insecure}
	switch {
	case c.Chain != "" && c.URL != "":
		return usage("--chain names what is probed; leave %s out", c.URL)
	case c.Chain != "":
		return probeChain(ctx, c.Chain, c.Assert, config, out)
	}
	policy, err := probe.Run(ctx, config)
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
