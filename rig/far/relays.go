package far

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"linger"
	"linger/fault"
	"linger/lab"
	"linger/relay"
	"linger/rig/host"
)

// A Target is a server outside that a lab lets its client reach.
type Target struct {
	Real string // HOST:PORT, as given

	on   string // the host of the lab where it is reached
	name string // of that host; empty is none but the host's own
	port int
	dial []string
}

// At is where the client finds it.
func (t Target) At() string {
	name := t.name
	if name == "" {
		name = t.on
	}
	return net.JoinHostPort(name, strconv.Itoa(t.port))
}

// ParseTargets reads [NAME=]HOST:PORT of each, and looks the hosts up.
func ParseTargets(ctx context.Context, list []string) ([]Target, error) {
	var out []Target
	hosts := map[string]string{} // by name
	for _, s := range list {
		name, address, named := strings.Cut(s, "=")
		if !named {
			name, address = "", s
		}
		real, number, err := net.SplitHostPort(address)
		port, bad := strconv.ParseUint(number, 10, 16)
		if err != nil || bad != nil || port == 0 || real == "" {
			return nil, fault.Usage("--connect: %q is not HOST:PORT; write 127.0.0.1:8080, example.com:443 or NAME=HOST:PORT", s)
		}
		if !named && net.ParseIP(real) == nil && real != "localhost" {
			name = real // an address, and this machine's own name for itself, mean something else in the lab
		}
		name = strings.ToLower(name)
		switch {
		case named && (!lab.IsHostName(name) || net.ParseIP(name) != nil), name != "" && !lab.IsHostName(name):
			return nil, fault.Usage("--connect: %q cannot be a host's name in the lab; write NAME=%s with letters, digits, '-' and '.'", name, address)
		case name == host.Client || name == "localhost" || name != host.Origin && isOriginName(name):
			return nil, fault.Usage("--connect: %s is the lab's own name; write another one: NAME=%s", name, address)
		}
		if name == host.Origin {
			name = ""
		}
		t := Target{name: name, port: int(port), Real: address, on: hosts[name]}
		if t.on == "" {
			if t.on = host.Origin; len(hosts) > 0 {
				t.on = fmt.Sprintf("%s%d", host.Origin, len(hosts)+1)
			}
			hosts[name] = t.on
		}
		if slices.ContainsFunc(out, func(o Target) bool { return o.on == t.on && o.port == t.port }) {
			return nil, fault.Usage("--connect: %s stands twice; give one of them a name of its own, as NAME=%s", t.At(), address)
		}
		if len(hosts) > mostServers {
			return nil, fault.Usage("--connect: %d servers; a lab has at most %d", len(hosts), mostServers)
		}
		addresses, err := net.DefaultResolver.LookupHost(ctx, real)
		if err != nil {
			return nil, fault.Unreachable("--connect: %s is not known to this machine's resolver: %w; correct the name, or give its address", real, err)
		}
		for _, a := range addresses {
			t.dial = append(t.dial, net.JoinHostPort(a, number))
		}
		out = append(out, t)
	}
	return out, nil
}

// isOriginName reports whether a name is that of a server host of a lab, whatever is on it.
func isOriginName(name string) bool {
	number, ok := strings.CutPrefix(name, host.Origin)
	return ok && strings.Trim(number, "0123456789") == ""
}

// ServersTo are the hosts of a lab at which the targets are reached.
func ServersTo(targets []Target) []Server {
	var out []Server
	for _, t := range targets {
		if slices.ContainsFunc(out, func(s Server) bool { return s.Name == t.on }) {
			continue
		}
		s := Server{Name: t.on}
		if t.name != "" {
			s.Aliases = []string{t.name}
		}
		out = append(out, s)
	}
	return out
}

// Relays carry the connections of a lab on to its targets.
type Relays []*relay.Relay

// StartRelays has each target reached at its host of the lab, by TCP and UDP.
func StartRelays(l *lab.Lab, targets []Target, n linger.Network) (all Relays, err error) {
	for _, t := range targets {
		r := relay.New(relay.Config{Addresses: t.dial, Down: n.Down, Up: n.Up, MTU: linger.MTU})
		all = append(all, r)
		ln, err := l.Listen(t.on, t.port)
		if err != nil {
			return all, err
		}
		r.Serve(ln)
		pc, err := l.ListenPacket(t.on, t.port)
		if err != nil {
			return all, err
		}
		r.ServePackets(pc)
	}
	return all, nil
}

// Close ends them.
func (all Relays) Close() {
	for _, r := range all {
		r.Close()
	}
}

// Announcement says what can be reached, and how.
func Announcement(targets []Target) string {
	var all []string
	for _, t := range targets {
		one := t.Real
		if t.At() != t.Real {
			one += " at " + t.At()
		}
		all = append(all, one)
	}
	return "the command reaches " + strings.Join(all, ", ") + " through a relay, by TCP and UDP, and nothing else outside"
}
