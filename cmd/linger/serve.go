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

	"linger/origin"
)

type serveCmd struct {
	Workload string `arg:"" optional:"" default:"${workload}" help:"What to serve, as for compare; default ${workload}. Besides: /bytes/N, /delay/D, /status/N."`

	Listen string `default:"127.0.0.1" placeholder:"ADDRESS" help:"Address to listen on where only a port is given; default 127.0.0.1."`
	Port   *int   `short:"p" placeholder:"N" help:"Port of cleartext, as --http N; 0 takes a free one; default 8080, unless --https or --h3 is given."`
	HTTP   string `name:"http" placeholder:"PORT|ADDRESS:PORT" help:"Cleartext: HTTP/1, and HTTP/2 by prior knowledge."`
	HTTPS  string `name:"https" placeholder:"PORT|ADDRESS:PORT" help:"TLS: HTTP/1.1 and HTTP/2."`
	H3     string `name:"h3" placeholder:"PORT|ADDRESS:PORT" help:"QUIC: HTTP/3; --https then points to it by Alt-Svc."`

	Cert      string `placeholder:"FILE" help:"Certificate chain for TLS and QUIC, in PEM; without it one is made on the spot."`
	Key       string `placeholder:"FILE" help:"Private key of --cert, in PEM."`
	Authority string `placeholder:"FILE" help:"Write the root of the certificate that is made on the spot to FILE, for clients to trust."`

	serverPolicyFlags
	MaxConnections int    `placeholder:"N" help:"How many connections are open at once; more wait."`
	MaxStreams     int    `placeholder:"N" help:"How many requests are open at once on a connection of HTTP/2 or HTTP/3; default 128."`
	TFO            bool   `name:"tfo" help:"TCP Fast Open: take data in the SYN (Linux)."`
	PortFile       string `placeholder:"FILE" help:"Write the ports to FILE once connections are accepted: a line each, --http, --https, --h3, of those that are served."`
	Log            string `placeholder:"FILE" help:"Access log, a line a request and a connection; - is standard output."`
	Seed           uint64 `default:"1" placeholder:"N" help:"Fixes the workload's sizes; default 1."`
}

// defaultPort is that of cleartext where nothing else is asked for.
const defaultPort = 8080

// Run serves until it is interrupted, then lets what is under way end.
func (c serveCmd) Run(ctx context.Context, std streams) error {
	p, err := c.serverPolicyFlags.parse()
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return err
	}
	w, notes, err := loadWorkload(c.Workload, c.Seed)
	if err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}
	config := origin.Config{Workload: w, Policy: p, MaxConnections: c.MaxConnections, MaxStreams: c.MaxStreams}
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
	doors, err := c.open(ctx)
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
	config.AltSvc = altSvc(doors)
	server, err := origin.New(config)
	if err != nil {
		return usage("%w", err)
	}
	if c.PortFile != "" {
		var ports strings.Builder
		for _, d := range doors {
			fmt.Fprintln(&ports, d.port)
		}
		if err := writeWhole(c.PortFile, ports.String()); err != nil {
			return statusError{exitMachine, fmt.Errorf("--port-file: %w; choose a place that can be written", err)}
		}
		defer os.Remove(c.PortFile)
	}
	served := make(chan error, len(doors))
	for _, d := range doors {
		go func() { served <- d.serve(context.Background(), server) }()
	}
	for _, d := range doors {
		fmt.Fprintf(std.out, "linger: serving %s on %s://%s%s%s\n", w.Name, d.scheme, net.JoinHostPort(d.host, d.port), w.Exchanges[0].Path, d.about)
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
	fmt.Fprintf(std.err, "linger: %d connections carried %d requests\n", seen.Accepted, seen.Requests)
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
	case c.HTTPS == "" && c.H3 == "" && (c.Cert != "" || c.Authority != ""):
		return usage("a certificate is for TLS and QUIC; add --https 8443 or --h3 8443")
	case c.H3 != "" && c.HTTPS == "" && c.HTTP == "" && c.Port == nil && c.TFO:
		return usage("QUIC has no TCP to open; leave --tfo out")
	}
	return nil
}

// A door is one socket that the origin is served on.
type door struct {
	scheme, about string
	host, port    string // as bound
	socket        io.Closer
	serve         func(context.Context, *origin.Server) error
}

// open opens the sockets that the flags ask for, or none.
func (c serveCmd) open(ctx context.Context) (doors []door, err error) {
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
	case c.HTTP == "" && c.HTTPS == "" && c.H3 == "":
		cleartext = strconv.Itoa(defaultPort)
	}
	listening := origin.Listening{FastOpen: c.TFO}
	for _, want := range []struct{ flag, value, scheme, about string }{
		{flag, cleartext, "http", ""},
		{"--https", c.HTTPS, "https", ""},
		{"--h3", c.H3, "https", " by HTTP/3"},
	} {
		if want.value == "" {
			continue
		}
		address, err := c.address(want.flag, want.value)
		if err != nil {
			return doors, err
		}
		d := door{scheme: want.scheme, about: want.about}
		var bound net.Addr
		if want.flag == "--h3" {
			pc, err := origin.ListenQUIC(ctx, address)
			if err != nil {
				return doors, statusError{exitMachine, err}
			}
			d.socket, bound = pc, pc.LocalAddr()
			d.serve = func(ctx context.Context, s *origin.Server) error { return s.ServeQUIC(ctx, pc) }
		} else {
			ln, err := origin.ListenTCP(ctx, address, listening)
			if err != nil {
				return doors, statusError{exitMachine, err}
			}
			d.socket, bound = ln, ln.Addr()
			d.serve = func(ctx context.Context, s *origin.Server) error { return s.Serve(ctx, ln) }
			if want.scheme == "https" {
				d.serve = func(ctx context.Context, s *origin.Server) error { return s.ServeTLS(ctx, ln) }
			}
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
		if d.about != "" {
			value = fmt.Sprintf(`h3=":%s"; ma=3600`, d.port)
		} else if d.scheme == "https" {
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
		secure = secure || d.scheme == "https"
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
