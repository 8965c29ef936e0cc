package flags

import (
	"fmt"
	"strings"

	"linger"
	"linger/fault"
)

// NetworkFlags name a path and override any part of it; the same in every verb.
type NetworkFlags struct {
	Network string `default:"${network}" placeholder:"NAME" help:"The path: ${networks}; of compare several, with commas, or all. Default ${network}."`
	RTT     string `placeholder:"D" help:"Round-trip time of the empty path, as 90ms."`
	Down    string `placeholder:"RATE" help:"Rate towards the client, as 12mbit; 0 is unlimited."`
	Up      string `placeholder:"RATE" help:"Rate towards the origin."`
	Loss    string `placeholder:"SHARE" help:"Packet loss, up and down, as 1%."`
	Queue   string `placeholder:"D" help:"Waiting room before each bottleneck, as time at its rate; default 100ms, but at least 32 packets."`
}

// Parse returns the path with its overrides; its name then tells that it differs.
func (f NetworkFlags) Parse() (linger.Network, error) {
	if strings.Contains(f.Network, ",") {
		return linger.Network{}, fault.Usage("--network %s: name one network; several at once are for compare and sweep", f.Network)
	}
	n, err := linger.ParseNetwork(f.Network)
	if err != nil {
		return n, fault.Usage("%w", err)
	}
	return f.override(n)
}

// Several returns the paths of a list of names, each with the overrides.
func (f NetworkFlags) Several() ([]linger.Network, error) {
	list, err := NamedPaths(f.Network)
	if err != nil {
		return nil, fault.Usage("%w", err)
	}
	for i, n := range list {
		if list[i], err = f.override(n); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// override returns a path with what the flags change of it.
func (f NetworkFlags) override(n linger.Network) (_ linger.Network, err error) {
	plain := n
	for _, part := range []struct {
		flag, value string
		set         func(string) error
	}{
		{"--rtt", f.RTT, func(s string) error { n.RTT, err = Duration(s); return err }},
		{"--queue", f.Queue, func(s string) error { n.Queue, err = Duration(s); return err }},
		{"--down", f.Down, func(s string) error { n.Down, err = linger.ParseRate(s); return err }},
		{"--up", f.Up, func(s string) error { n.Up, err = linger.ParseRate(s); return err }},
		{"--loss", f.Loss, func(s string) error { n.Loss, err = linger.ParseLoss(s); return err }},
	} {
		if part.value == "" {
			continue
		}
		if err := part.set(part.value); err != nil {
			return n, fault.Usage("%s: %w", part.flag, err)
		}
	}
	if n != plain {
		n.Name += "*"
	}
	if err := n.Validate(); err != nil {
		return n, fault.Usage("%w", err)
	}
	return n, nil
}

// Words are the flags that differ from the defaults.
func (f NetworkFlags) Words() []string {
	return Settings([][3]string{
		{"--network", f.Network, linger.DefaultNetwork}, {"--rtt", f.RTT, ""}, {"--down", f.Down, ""},
		{"--up", f.Up, ""}, {"--loss", f.Loss, ""}, {"--queue", f.Queue, ""},
	})
}

// NamedPaths reads a list of names; all is every one.
func NamedPaths(list string) ([]linger.Network, error) {
	if list == "all" {
		return linger.Networks(), nil
	}
	var out []linger.Network
	seen := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		n, err := linger.ParseNetwork(strings.TrimSpace(name))
		switch {
		case err != nil:
			return nil, err
		case seen[n.Name]:
			return nil, fmt.Errorf("%s stands twice; name it once", n.Name)
		}
		seen[n.Name] = true
		out = append(out, n)
	}
	return out, nil
}
