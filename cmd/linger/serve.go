package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"linger"
	"linger/origin"
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

	serverPolicyFlags
	Misbehave      string `placeholder:"NAME[:VALUE]" help:"Do on every connection what a server should not: ${misbehaviours}. Each is at /misbehave/NAME[:VALUE] too, without the flag."`
	MaxConnections int    `placeholder:"N" help:"How many connections are open at once; more wait."`
	MaxStreams     int    `placeholder:"N" help:"How many requests are open at once on a connection of HTTP/2 or HTTP/3; default 128."`
	TFO            bool   `name:"tfo" help:"TCP Fast Open: take data in the SYN (Linux)."`
	PortFile       string `placeholder:"FILE" help:"Write the ports to FILE once connections are accepted: a line each, --http, --https, --h3, --dns, --dot, --doq, of those that are served."`
	Log            string `placeholder:"FILE" help:"Access log, a line a request and a connection; - is standard output."`
	Seed           uint64 `default:"1" placeholder:"N" help:"Fixes the workload's sizes; default 1."`
}

// Ports where nothing else is asked for: of HTTP in cleartext and over TLS and QUIC,
// of DNS, and of DNS over TLS and QUIC.
const (
	defaultPort       = 8080
	defaultSecurePort = 8443
	defaultDNSPort    = 5300
	defaultDoTPort    = 8853
)

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
func (c serveCmd) Run(ctx context.Context, std streams) error {
	p, err := c.serverPolicyFlags.parse()
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return err
	}
	w, notes, err := c.load()
	if err != nil {
		return err
	}
	if w.Scheme == linger.SchemeDNS {
		c.openAll()
	}
	for _, note := range notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}
	config := origin.Config{Workload: w, Policy: p, MaxConnections: c.MaxConnections, MaxStreams: c.MaxStreams}
	if c.Misbehave != "" {
		if config.Misbehave, err = origin.ParseMisbehaviour(c.Misbehave); err != nil {
			return usage("--misbehave: %w", err)
		}
	}
	if c.Log != "" {
		log := io.Writer(std.out)
		if c.Log != "-" {
			f, err := os.OpenFile(c.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
			if err != nil {
				return statusError{exitMachine, fmt.Errorf("--log: %w; choose a place that can be written", err)}
			}
			defer f.Close()
			log = f
		}
		config.Log = origin.LogTo(log)
	}
	doors, err := c.open(ctx, w)
	if err != nil {
		return err
	}
	defer func() {
		// What has been served is closed by then; once more does nothing.
		for _, d := range doors {
			d.socket.Close()
		}
	}()
	if config.Certificates, err = c.certificates(doors); err != nil {
		return err
	}
	if err := meets(config.Misbehave, doors); err != nil {
		return err
	}
	config.AltSvc = altSvc(doors)
	server, err := origin.New(config)
	if err != nil {
		return usage("%w", err)
	}
	if c.PortFile != "" {
		var ports strings.Builder
		for i, d := range doors {
			if i == 0 || d.flag != doors[i-1].flag {
				fmt.Fprintln(&ports, d.port)
			}
		}
		if err := writeWhole(c.PortFile, ports.String()); err != nil {
			return statusError{exitMachine, fmt.Errorf("--port-file: %w; choose a place that can be written", err)}
		}
		defer os.Remove(c.PortFile)
	}
	if m := config.Misbehave; m != nil {
		fmt.Fprintf(std.err, "linger: on every connection of HTTP/%s this server %s\n", strings.Join(m.Versions, " and HTTP/"), m.Says())
	}
	served := make(chan error, len(doors))
	for _, d := range doors {
		go func() { served <- d.serve(context.Background(), server) }()
	}
	for _, d := range doors {
		fmt.Fprintf(std.out, "linger: serving %s on %s\n", w.Name, d.sign(w, c.Authority))
	}
	if c.Authority != "" {
		fmt.Fprintf(std.err, "linger: trust the root in %s, as in curl --cacert %s\n", c.Authority, quote(c.Authority))
	}

	left := len(doors)
	select {
	case err = <-served:
		left--
	case <-ctx.Done():
		fmt.Fprintf(std.err, "linger: going down; requests under way have %v\n", shutdownWithin)
	}
	stop, cancel := context.WithTimeout(context.Background(), shutdownWithin)
	defer cancel()
	err = errors.Join(err, server.Shutdown(stop))
	for range left {
		err = errors.Join(err, <-served)
	}
	seen := server.Counters()
	fmt.Fprintf(std.err, "linger: %d connections carried %d requests\n", seen.Accepted, seen.Requests-seen.Datagrams)
	if seen.Datagrams > 0 {
		fmt.Fprintf(std.err, "linger: %d requests came by datagram, without a connection\n", seen.Datagrams)
	}
	return err
}

// check says which flags do not go together.
func (c serveCmd) check() error {
	switch {
	case c.Port != nil && c.HTTP != "":
		return usage("--port and --http name the same socket; give one of them")
	case c.Port != nil && (*c.Port < 0 || *c.Port > 65535):
		return usage("--port: %d; give 1 to 65535, or 0 for a free one", *c.Port)
	case c.MaxConnections < 0:
		return usage("--max-connections: %d; give 1 or more, or 0 for no limit", c.MaxConnections)
	case c.MaxStreams < 0:
		return usage("--max-streams: %d; give 1 or more, or 0 for the default", c.MaxStreams)
	case (c.Cert == "") != (c.Key == ""):
		return usage("--cert and --key go together; give both, or neither for a certificate made on the spot")
	case c.Cert != "" && c.Authority != "":
		return usage("--authority is the root of a certificate made on the spot; leave it out, or --cert and --key")
	case c.AnswerSize < 0 || c.AnswerSize > linger.MaxMessage:
		return usage("--answer-size: %d; give 1 to %d bytes, or 0 for one record", c.AnswerSize, linger.MaxMessage)
	case c.H3 != "" && c.HTTPS == "" && c.HTTP == "" && c.Port == nil && c.DNS == "" && c.DoT == "" && c.TFO:
		return usage("QUIC has no TCP to open; leave --tfo out")
	}
	return nil
}

// byName reports whether a flag asks for what only names are served on.
func (c serveCmd) byName() bool { return c.DNS != "" || c.DoT != "" || c.DoQ != "" || c.Names != "" }

// load returns what is served.
func (c serveCmd) load() (w linger.Workload, notes []string, err error) {
	switch {
	case c.Names != "" && c.Workload != "" && c.Workload != linger.Names().Name:
		return w, nil, usage("--names serves a list, and %s is another workload; give one of them", c.Workload)
	case c.Names != "":
		if w, err = readNames(c.Names); err != nil {
			return w, nil, err
		}
	default:
		name := c.Workload
		if name == "" {
			name = linger.DefaultWorkload
			if c.byName() {
				name = linger.SchemeDNS
			}
		}
		if w, notes, err = loadWorkload(name, c.Seed); err != nil {
			return w, nil, err
		}
		if n := len(w.Origins); n > 1 {
			notes = append(notes, fmt.Sprintf("served as one origin, what belongs to one of the %d under its name: /NAME/path", n))
			w = w.Merged()
		}
	}
	if w.Scheme != linger.SchemeDNS {
		switch {
		case c.byName():
			return w, nil, usage("%s has no names to look up; leave --dns, --dot and --doq out, or serve dns", w.Name)
		case c.AnswerSize != 0 || c.Delay != "":
			return w, nil, usage("--answer-size and --delay are for answers of DNS; serve dns, or write a list (docs/workloads.md)")
		case c.HTTPS == "" && c.H3 == "" && (c.Cert != "" || c.Authority != ""):
			return w, nil, usage("a certificate is for TLS and QUIC; add --https 8443 or --h3 8443")
		}
		return w, notes, nil
	}
	if w.Exchanges, err = c.answers(w.Exchanges); err != nil {
		return w, nil, err
	}
	return w, notes, nil
}

// answers returns the exchanges with the size and the delay that the flags say.
func (c serveCmd) answers(exchanges []linger.Exchange) ([]linger.Exchange, error) {
	var delay time.Duration
	if c.Delay != "" {
		var err error
		if delay, err = parseDuration(c.Delay); err != nil || delay < 0 || delay > linger.MaxThink {
			return nil, usage("--delay: %q is not a time to wait; write 20ms, at most %v", c.Delay, time.Duration(linger.MaxThink))
		}
	}
	out := slices.Clone(exchanges)
	for i := range out {
		if c.Delay != "" {
			out[i].Delay = delay
		}
		if c.AnswerSize != 0 {
			out[i].ResponseBody = int64(c.AnswerSize)
		}
	}
	return out, nil
}

// openAll asks for every transport that names are served on where none is asked for.
func (c *serveCmd) openAll() {
	if c.Port == nil && c.HTTP == "" && c.HTTPS == "" && c.H3 == "" && c.DNS == "" && c.DoT == "" && c.DoQ == "" {
		c.DNS, c.DoT, c.DoQ = ours, ours, ours
		c.HTTPS, c.H3 = strconv.Itoa(defaultSecurePort), strconv.Itoa(defaultSecurePort)
	}
}

// A door is one socket that the origin is served on.
type door struct {
	flag          string
	scheme, about string
	host, port    string // as bound
	socket        io.Closer
	serve         func(context.Context, *origin.Server) error
}

// speaks are the versions of HTTP that are spoken at the door.
func (d door) speaks() []string {
	switch d.flag {
	case "--port", "--http", "--https":
		return []string{"1", "2"}
	case "--h3":
		return []string{"3"}
	}
	return nil
}

// meets says whether anything that is served can misbehave so.
func meets(m *origin.Misbehaviour, doors []door) error {
	if m == nil {
		return nil
	}
	for _, d := range doors {
		for _, version := range d.speaks() {
			if slices.Contains(m.Versions, version) {
				return nil
			}
		}
	}
	return usage("--misbehave: %s is of HTTP/%s, and nothing is served over that; add --http 8080 or --https 8443", m.Name, strings.Join(m.Versions, " and HTTP/"))
}

// secure reports whether the door needs a certificate.
func (d door) secure() bool { return d.scheme != "http" && d.flag != "--dns" }

// sign says where the door is, and of names how they are asked for there.
func (d door) sign(w linger.Workload, authority string) string {
	address := net.JoinHostPort(d.host, d.port)
	if w.Scheme != linger.SchemeDNS {
		return fmt.Sprintf("%s://%s%s%s", d.scheme, address, w.Exchanges[0].Path, d.about)
	}
	host := d.host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ask := fmt.Sprintf("@%s -p %s %s", host, d.port, w.Exchanges[0].Query)
	switch d.flag {
	case "--https":
		return fmt.Sprintf("https://%s/dns-query; ask: dig +https %s", address, ask)
	case "--dns", "--dot":
		return fmt.Sprintf("%s%s; ask: dig %s %s", address, d.about, map[string]string{
			" by UDP": "+notcp", " by TCP": "+tcp", " by TLS": "+tls",
		}[d.about], ask)
	case "--doq":
		return fmt.Sprintf("%s%s; ask: kdig +quic %s", address, d.about, ask)
	}
	return fmt.Sprintf("%s://%s/dns-query%s", d.scheme, address, d.about)
}

// open opens the sockets that the flags ask for, or none.
func (c serveCmd) open(ctx context.Context, w linger.Workload) (doors []door, err error) {
	defer func() {
		if err != nil {
			for _, d := range doors {
				d.socket.Close()
			}
		}
	}()
	cleartext, flag := c.HTTP, "--http"
	switch {
	case c.Port != nil:
		cleartext, flag = strconv.Itoa(*c.Port), "--port"
	case w.Scheme != linger.SchemeDNS && c.HTTP == "" && c.HTTPS == "" && c.H3 == "":
		cleartext = strconv.Itoa(defaultPort)
	}
	listening := origin.Listening{FastOpen: c.TFO}
	type (
		streamed  = func(*origin.Server, context.Context, net.Listener) error
		datagrams = func(*origin.Server, context.Context, net.PacketConn) error
	)
	for _, want := range []struct {
		flag, value, scheme, about string
		streamed                   streamed
		datagrams                  datagrams
	}{
		{flag, cleartext, "http", "", (*origin.Server).Serve, nil},
		{"--https", c.HTTPS, "https", "", (*origin.Server).ServeTLS, nil},
		{"--h3", c.H3, "https", " by HTTP/3", nil, (*origin.Server).ServeQUIC},
		{"--dns", c.DNS.at(defaultDNSPort), "dns", " by TCP", (*origin.Server).ServeDNSStream, nil},
		{"--dns", c.DNS.at(defaultDNSPort), "dns", " by UDP", nil, (*origin.Server).ServeDNS},
		{"--dot", c.DoT.at(defaultDoTPort), "dns", " by TLS", (*origin.Server).ServeDoT, nil},
		{"--doq", c.DoQ.at(defaultDoTPort), "dns", " by QUIC", nil, (*origin.Server).ServeDoQ},
	} {
		if want.value == "" {
			continue
		}
		address, err := c.address(want.flag, want.value)
		if err != nil {
			return doors, err
		}
		if len(doors) > 0 && doors[len(doors)-1].flag == want.flag {
			// The second socket of a flag has the port of the first, which may have been
			// any.
			host, _, _ := net.SplitHostPort(address)
			address = net.JoinHostPort(host, doors[len(doors)-1].port)
		}
		d := door{flag: want.flag, scheme: want.scheme, about: want.about}
		var bound net.Addr
		if want.streamed == nil {
			pc, err := origin.ListenQUIC(ctx, address)
			if err != nil {
				return doors, statusError{exitMachine, err}
			}
			d.socket, bound = pc, pc.LocalAddr()
			d.serve = func(ctx context.Context, s *origin.Server) error { return want.datagrams(s, ctx, pc) }
		} else {
			ln, err := origin.ListenTCP(ctx, address, listening)
			if err != nil {
				return doors, statusError{exitMachine, err}
			}
			d.socket, bound = ln, ln.Addr()
			d.serve = func(ctx context.Context, s *origin.Server) error { return want.streamed(s, ctx, ln) }
		}
		d.host, d.port, _ = net.SplitHostPort(bound.String())
		doors = append(doors, d)
	}
	return doors, nil
}

// address reads PORT or ADDRESS:PORT.
func (c serveCmd) address(flag, value string) (string, error) {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		host, port = c.Listen, value
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", usage("%s: %q is neither a port nor an address with one; write 8443, or [::1]:8443, or 0 for a free port", flag, value)
	}
	return net.JoinHostPort(host, port), nil
}

// altSvc is what TLS says about HTTP/3, empty where only one of them is served.
func altSvc(doors []door) (value string) {
	tcp := false
	for _, d := range doors {
		if d.flag == "--h3" {
			value = fmt.Sprintf(`h3=":%s"; ma=3600`, d.port)
		} else if d.flag == "--https" {
			tcp = true
		}
	}
	if !tcp {
		return ""
	}
	return value
}

// certificates reads the certificate that was given, or makes one for every name
// that this host can be asked for at its doors.
func (c serveCmd) certificates(doors []door) ([]tls.Certificate, error) {
	if c.Cert != "" {
		cert, err := origin.LoadCertificate(c.Cert, c.Key, time.Now())
		if err != nil {
			return nil, usage("--cert, --key: %w", err)
		}
		return []tls.Certificate{cert}, nil
	}
	names := map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
	secure := false
	for _, d := range doors {
		secure = secure || d.secure()
		host, _, _ := strings.Cut(d.host, "%")
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
			names[host] = true
			continue
		}
		// Every address of the host leads here, and its name.
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			continue
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok {
				names[n.IP.String()] = true
			}
		}
		if name, err := os.Hostname(); err == nil {
			names[name] = true
		}
	}
	if !secure {
		if c.Authority != "" {
			return nil, usage("--authority: nothing that is served needs a certificate; add --dot, --doq, --https 8443 or --h3 8443")
		}
		return nil, nil
	}
	authority, err := origin.NewAuthority(time.Now())
	if err != nil {
		return nil, err
	}
	cert, err := authority.Certificate(slices.Sorted(maps.Keys(names))...)
	if err != nil {
		return nil, err
	}
	if c.Authority != "" {
		if err := writeWhole(c.Authority, string(authority.PEM())); err != nil {
			return nil, statusError{exitMachine, fmt.Errorf("--authority: %w; choose a place that can be written", err)}
		}
	}
	return []tls.Certificate{cert}, nil
}

// writeWhole writes a file so that a reader finds it whole or not at all.
func writeWhole(name, content string) error {
	if err := os.WriteFile(name+".new", []byte(content), 0o666); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
