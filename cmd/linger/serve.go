package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"linger"
	"linger/console"
	"linger/fault"
	"linger/flags"
	"linger/origin"
	"linger/origin/accesslog"
	"linger/origin/authority"
	"linger/origin/door"
	"linger/origin/listen"
	"linger/origin/misbehave"
	"linger/rig/host"
	"linger/whole"
)

type serveCmd struct {
	Workload string `arg:"" optional:"" help:"What to serve, as for compare; default ${workload}, or dns with --dns, --dot or --doq. Besides: /bytes/N, /delay/D, /status/N."`
	Names    string `placeholder:"FILE" help:"Serve the names in FILE by DNS: a name and a type a line, as dnsperf reads them."`

	Listen string `default:"127.0.0.1" placeholder:"ADDRESS" help:"Address to listen on where only a port is given; default 127.0.0.1."`
	Port   *int   `short:"p" placeholder:"N" help:"Port of cleartext, as --http N; 0 takes a free one; default 8080, unless --https or --h3 is given."`
	HTTP   string `name:"http" placeholder:"PORT|ADDRESS:PORT" help:"Cleartext: HTTP/1, and HTTP/2 by prior knowledge."`
	HTTPS  string `name:"https" placeholder:"PORT|ADDRESS:PORT" help:"TLS: HTTP/1.1 and HTTP/2; of names, DNS over HTTPS at /dns-query."`
	H3     string `name:"h3" placeholder:"PORT|ADDRESS:PORT" help:"QUIC: HTTP/3; --https then points to it by Alt-Svc. Of names as --https."`
	DNS    place  `name:"dns" placeholder:"[PORT|ADDRESS:PORT]" help:"DNS over UDP and TCP; without a value 5300."`
	DoT    place  `name:"dot" placeholder:"[PORT|ADDRESS:PORT]" help:"DNS over TLS; without a value 8853."`
	DoQ    place  `name:"doq" placeholder:"[PORT|ADDRESS:PORT]" help:"DNS over QUIC; without a value 8853."`

	AnswerSize int    `placeholder:"BYTES" help:"How long every answer of DNS is, before padding; over UDP, what the client cannot take is truncated. Default: one record."`
	Delay      string `placeholder:"D" help:"How long every answer of DNS waits, as 20ms."`

	Cert      string `placeholder:"FILE" help:"Certificate chain for TLS and QUIC, in PEM; without it one is made on the spot."`
	Key       string `placeholder:"FILE" help:"Private key of --cert, in PEM."`
	Authority string `placeholder:"FILE" help:"Write the root of the certificate that is made on the spot to FILE, for clients to trust."`

	flags.PolicyFlags
	flags.CapacityFlags
	Misbehave  string `placeholder:"NAME[:VALUE]" help:"Do on every connection what a server should not: ${misbehaviours}. Each is at /misbehave/NAME[:VALUE] too, without the flag."`
	MaxStreams int    `placeholder:"N" help:"How many requests are open at once on a connection of HTTP/2 or HTTP/3; default 128."`
	TFO        bool   `name:"tfo" help:"TCP Fast Open: take data in the SYN (Linux)."`
	PortFile   string `placeholder:"FILE" help:"Write the ports to FILE once connections are accepted: a line each, --http, --https, --h3, --dns, --dot, --doq, of those that are served."`
	Log        string `placeholder:"FILE" help:"Access log, a line a request and a connection; - is standard output."`
	Seed       uint64 `default:"1" placeholder:"N" help:"Fixes the workload's sizes; default 1."`
}

// Ports where nothing else is asked for: of HTTP in cleartext and over TLS and QUIC,
// of DNS, and of DNS over TLS and QUIC.
const (
	defaultPort       = 8080
	defaultSecurePort = 8443
	defaultDNSPort    = 5300
	defaultDoTPort    = 8853
)

// mostConnections is how many are open at once where nothing is said.
const mostConnections = 10_000

// A place is a port, with or without an address, that a flag may leave to us.
type place string

// ours says that the flag stands without a value.
const ours place = "ours"

// Decode takes the next word where that can be a place.
func (p *place) Decode(ctx *kong.DecodeContext) error {
	*p = ours
	word := ctx.Scan.Peek()
	given := word.Type == kong.FlagValueToken
	if text := word.String(); !given && word.IsValue() && text != "" {
		_, err := strconv.Atoi(text)
		given = err == nil || strings.Contains(text, ":")
	}
	if given {
		*p = place(ctx.Scan.Pop().String())
	}
	return nil
}

// at returns where the place is, port being the one that is ours.
func (p place) at(port int) string {
	if p == ours {
		return strconv.Itoa(port)
	}
	return string(p)
}

// Run serves until it is interrupted, then lets what is under way end.
func (c serveCmd) Run(ctx context.Context, std console.Streams) error {
	p, err := c.PolicyFlags.Parse()
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return err
	}
	capacity, err := c.CapacityFlags.Parse(mostConnections)
	if err != nil {
		return err
	}
	w, notes, err := c.load(ctx)
	if err != nil {
		return err
	}
	for _, note := range notes {
		std.Note("%s", note)
	}
	config := origin.Config{Workload: w, Policy: p, Capacity: capacity, MaxStreams: c.MaxStreams}
	if c.Misbehave != "" {
		if config.Misbehave, err = misbehave.Parse(c.Misbehave); err != nil {
			return fault.Usage("--misbehave: %w", err)
		}
	}
	at, err := c.places(w)
	if err != nil {
		return err
	}
	log, err := c.log(std)
	if err != nil {
		return err
	}
	if log != nil {
		config.Log = log.Add
	}
	doors, err := door.Open(ctx, at, listen.Options{FastOpen: c.TFO, Backlog: int(c.Backlog)})
	if err != nil {
		return err
	}
	defer doors.Close()
	if config.Certificates, err = c.certificates(doors); err != nil {
		return err
	}
	if m := config.Misbehave; m != nil && !doors.Speak(m.Versions) {
		return fault.Usage("--misbehave: %s is of HTTP/%s, and nothing is served over that; add --http 8080 or --https 8443", m.Name, strings.Join(m.Versions, " and HTTP/"))
	}
	config.AltSvc = doors.AltSvc()
	server, err := c.server(config, std)
	if err != nil {
		return err
	}
	if c.PortFile != "" {
		if err := whole.WriteString(c.PortFile, strings.Join(doors.Ports(), "\n")+"\n"); err != nil {
			return fault.Machine("--port-file: %w; choose a place that can be written", err)
		}
		defer os.Remove(c.PortFile)
	}
	c.announce(config, doors, std)
	err = doors.Serve(ctx, server, host.ShutdownWithin, func() {
		std.Note("going down; requests under way have %v", host.ShutdownWithin)
	})
	seen := server.Counters()
	std.Note("%d connections carried %d requests", seen.Accepted, seen.Requests-seen.Datagrams)
	if seen.Refused > 0 {
		std.Note("%d of them were refused, as many were open as may be", seen.Refused)
	}
	if seen.Datagrams > 0 {
		std.Note("%d requests came by datagram, without a connection", seen.Datagrams)
	}
	return errors.Join(err, lostOf(log, c.Log))
}

// server is the origin, which says when it can take no more connections.
func (c serveCmd) server(config origin.Config, std console.Streams) (server *origin.Server, err error) {
	config.Full = func() {
		most, flag := config.Capacity.MaxConnections, "--max-connections"
		if n := config.Capacity.Workers; n > 0 && (most == 0 || n <= most) {
			most, flag = n, "--server-workers"
		}
		std.Note("as many connections are open as may be, %d; more wait: %s allows more", most, flag)
	}
	config.Short = func(err error) {
		std.Fail(fmt.Errorf("no more connections can be accepted, %s; open: %d, more wait", door.Shortage(err), server.Counters().Open))
	}
	if server, err = origin.New(config); err != nil {
		return nil, fault.Usage("%w", err)
	}
	return server, nil
}

// announce says where what is served.
func (c serveCmd) announce(config origin.Config, doors door.Doors, std console.Streams) {
	if m := config.Misbehave; m != nil {
		std.Note("on every connection of HTTP/%s this server %s", strings.Join(m.Versions, " and HTTP/"), m.Says())
	}
	for _, d := range doors {
		fmt.Fprintf(std.Out, "linger: serving %s on %s\n", config.Workload.Name, d.Sign(config.Workload))
	}
	if c.Authority != "" {
		std.Note("trust the root in %s, as in curl --cacert %s", c.Authority, flags.Quote(c.Authority))
	}
}

// log opens the access log, nil if there is none. Lines are added, so that who rotates it may
// copy and truncate it.
func (c serveCmd) log(std console.Streams) (*accesslog.Log, error) {
	if c.Log == "" {
		return nil, nil
	}
	to := io.Writer(std.Out)
	if c.Log != "-" {
		f, err := os.OpenFile(c.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		if err != nil {
			return nil, fault.Machine("--log: %w; choose a place that can be written", err)
		}
		to = f // until the process ends: requests may outlive the shutdown
	}
	return accesslog.New(to, func(err error) {
		std.Note("--log %s: %v; entries are lost until there is room again, requests are answered", c.Log, err)
	}), nil
}

// lostOf is the error of an access log that has not all entries.
func lostOf(log *accesslog.Log, name string) error {
	if log == nil {
		return nil
	}
	if err := log.Err(); err != nil {
		return fault.Unmet("--log %s: %w", name, err)
	}
	return nil
}

// check says which flags do not go together.
func (c serveCmd) check() error {
	switch {
	case c.Port != nil && c.HTTP != "":
		return fault.Usage("--port and --http name the same socket; give one of them")
	case c.Port != nil && (*c.Port < 0 || *c.Port > 65535):
		return fault.Usage("--port: %d; give 1 to 65535, or 0 for a free one", *c.Port)
	case c.MaxStreams < 0:
		return fault.Usage("--max-streams: %d; give 1 or more, or 0 for the default", c.MaxStreams)
	case (c.Cert == "") != (c.Key == ""):
		return fault.Usage("--cert and --key go together; give both, or neither for a certificate made on the spot")
	case c.Cert != "" && c.Authority != "":
		return fault.Usage("--authority is the root of a certificate made on the spot; leave it out, or --cert and --key")
	case c.AnswerSize < 0 || c.AnswerSize > linger.MaxMessage:
		return fault.Usage("--answer-size: %d; give 1 to %d bytes, or 0 for one record", c.AnswerSize, linger.MaxMessage)
	case c.H3 != "" && c.HTTPS == "" && c.HTTP == "" && c.Port == nil && c.DNS == "" && c.DoT == "" && c.TFO:
		return fault.Usage("QUIC has no TCP to open; leave --tfo out")
	}
	return nil
}

// byName reports whether a flag asks for what only names are served on.
func (c serveCmd) byName() bool { return c.DNS != "" || c.DoT != "" || c.DoQ != "" || c.Names != "" }

// load returns what is served.
func (c serveCmd) load(ctx context.Context) (linger.Workload, []string, error) {
	w, notes, err := flags.Served{
		Workload: c.Workload, Names: c.Names, ByName: c.byName(), AnswerSize: c.AnswerSize, Delay: c.Delay, Seed: c.Seed,
	}.Load(ctx)
	if err == nil && w.Scheme != linger.SchemeDNS && c.HTTPS == "" && c.H3 == "" && (c.Cert != "" || c.Authority != "") {
		err = fault.Usage("a certificate is for TLS and QUIC; add --https 8443 or --h3 8443")
	}
	return w, notes, err
}

// places are where it is served: of names on every transport, and of a page in cleartext, where
// nothing is asked for.
func (c serveCmd) places(w linger.Workload) (map[door.Kind]string, error) {
	cleartext, flag := c.HTTP, "--http"
	if c.Port != nil {
		cleartext, flag = strconv.Itoa(*c.Port), "--port"
	}
	switch names := w.Scheme == linger.SchemeDNS; {
	case cleartext != "" || c.HTTPS != "" || c.H3 != "":
	case !names:
		cleartext = strconv.Itoa(defaultPort)
	case c.DNS == "" && c.DoT == "" && c.DoQ == "":
		c.DNS, c.DoT, c.DoQ = ours, ours, ours
		c.HTTPS, c.H3 = strconv.Itoa(defaultSecurePort), strconv.Itoa(defaultSecurePort)
	}
	at := map[door.Kind]string{}
	for _, want := range []struct {
		kind        door.Kind
		flag, value string
	}{
		{door.HTTP, flag, cleartext}, {door.HTTPS, "--https", c.HTTPS}, {door.H3, "--h3", c.H3},
		{door.DNS, "--dns", c.DNS.at(defaultDNSPort)}, {door.DoT, "--dot", c.DoT.at(defaultDoTPort)}, {door.DoQ, "--doq", c.DoQ.at(defaultDoTPort)},
	} {
		if want.value == "" {
			continue
		}
		address, err := door.Address(want.value, c.Listen)
		if err != nil {
			return nil, fault.Usage("%s: %w", want.flag, err)
		}
		at[want.kind] = address
	}
	return at, nil
}

// certificates reads the certificate that was given, or makes one for every name
// that this host can be asked for at its doors.
func (c serveCmd) certificates(doors door.Doors) ([]tls.Certificate, error) {
	if c.Cert != "" {
		cert, err := authority.Load(c.Cert, c.Key, time.Now())
		if err != nil {
			return nil, fault.Usage("--cert, --key: %w", err)
		}
		return []tls.Certificate{cert}, nil
	}
	if !doors.Secure() {
		if c.Authority != "" {
			return nil, fault.Usage("--authority: nothing that is served needs a certificate; add --dot, --doq, --https 8443 or --h3 8443")
		}
		return nil, nil
	}
	cert, root, err := doors.Certificate(time.Now())
	if err != nil {
		return nil, err
	}
	if c.Authority != "" {
		if err := whole.WriteString(c.Authority, string(root)); err != nil {
			return nil, fault.Machine("--authority: %w; choose a place that can be written", err)
		}
	}
	return []tls.Certificate{cert}, nil
}
