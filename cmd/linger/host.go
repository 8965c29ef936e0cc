package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"time"

	"linger"
	"linger/live"
	"linger/origin"
	"linger/policy"
	"linger/trace"
)

// hostCmd is what this program does as a host of a lab: client and origin are
// processes of their own, so that neither shares a scheduler or a garbage
// collector with the other or with the pump. Each is told what to do in JSON on
// its standard input and answers in JSON on its standard output.
type hostCmd struct {
	Origin hostOriginCmd `cmd:"" help:"Serve until standard input ends."`
	Client hostClientCmd `cmd:"" help:"Run one scenario."`

	Browser hostBrowserCmd `cmd:"" help:"Have a browser run one scenario."`
}

// congestion is the algorithm on both sides, whatever this machine's default:
// what Linux has used since 2.6.19, and what most servers run.
const congestion = "cubic"

// Ports of the origin in a lab, those of the schemes: cleartext; TLS over TCP and,
// for HTTP/3, QUIC over UDP. Of a workload of names, DNS over UDP and TCP; DNS over
// TLS and QUIC (RFC 7858, 3.1; RFC 9250, 4.1.1); and over HTTPS, securePort.
const (
	plainPort     = 80
	securePort    = 443
	namesPort     = 53
	safeNamesPort = 853
)

// originOrder is what the origin of a lab is told.
type originOrder struct {
	Workload linger.Workload     `json:"workload"`
	Policy   policy.ServerPolicy `json:"policy"`
	// Origins are those of the workload's that it is, each on ports of its own.
	Origins []int `json:"origins"`
	// Names and addresses that its certificate bears.
	Names []string `json:"names"`
}

// originReady says that the origin accepts connections.
type originReady struct {
	// Authority is the root's certificate in PEM, for clients to trust.
	Authority []byte `json:"authority"`
	// Pin is the SHA-256 sum, in base64, of the public key of its own certificate.
	Pin string `json:"pin"`
}

// originSeen is what the origin says at its end.
type originSeen struct {
	origin.Counters
	// Carried is how many requests each connection carried, by the client's
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
	authority, err := origin.NewAuthority(time.Now())
	if err != nil {
		return err
	}
	certificate, err := authority.Certificate(order.Names...)
	if err != nil {
		return err
	}
	var running []func(context.Context) error
	for slot, of := range order.Origins {
		server, err := origin.New(origin.Config{
			Workload: order.Workload, Origin: of, Policy: order.Policy, Certificates: []tls.Certificate{certificate},
			AltSvc: fmt.Sprintf("h3=\":%d\"", securePort+slot*portsApart),
			Log: func(e origin.Entry) {
				if e.Event == origin.Answered {
					mu.Lock()
					seen.Carried[e.Remote]++
					mu.Unlock()
				}
			}})
		if err != nil {
			return err
		}
		served, err := serveAll(ctx, server, slot, order.Workload.Scheme == linger.SchemeDNS)
		if err != nil {
			return err
		}
		running = append(running, func(stop context.Context) error {
			// What a client has left open is cut off: nobody reads it any more.
			server.Shutdown(stop)
			err := served()
			seen.Add(server.Counters())
			return err
		})
	}
	out := json.NewEncoder(std.out)
	key := sha256.Sum256(certificate.Leaf.RawSubjectPublicKeyInfo)
	if err := out.Encode(originReady{authority.PEM(), base64.StdEncoding.EncodeToString(key[:])}); err != nil {
		return err
	}
	io.Copy(io.Discard, std.in)
	stop, cancel := context.WithTimeout(ctx, shutdownWithin)
	defer cancel()
	for _, end := range running {
		if err := end(stop); err != nil {
			return err
		}
	}
	return out.Encode(seen)
}

// listen takes data in a SYN from whoever has the cookie for it, where this machine
// lets a server do that; the client says what came of it.
func listen(ctx context.Context, port int) (net.Listener, error) {
	address := fmt.Sprintf(":%d", port)
	ln, err := origin.ListenTCP(ctx, address, origin.Listening{Congestion: congestion, FastOpen: true})
	if err != nil {
		ln, err = origin.ListenTCP(ctx, address, origin.Listening{Congestion: congestion})
	}
	return ln, err
}

// serveAll serves cleartext, TLS and QUIC on the ports of the lab, slot times
// portsApart behind the first, and names, where there are some, on theirs. The returned function waits until all of it has ended.
func serveAll(ctx context.Context, server *origin.Server, slot int, names bool) (wait func() error, err error) {
	var sockets []io.Closer
	var serve []func() error
	streams := func(port int, on func(context.Context, net.Listener) error) {
		if err != nil {
			return
		}
		var ln net.Listener
		if ln, err = listen(ctx, port+slot*portsApart); err == nil {
			sockets = append(sockets, ln)
			serve = append(serve, func() error { return on(ctx, ln) })
		}
	}
	packets := func(port int, on func(context.Context, net.PacketConn) error) {
		if err != nil {
			return
		}
		var pc net.PacketConn
		if pc, err = origin.ListenQUIC(ctx, fmt.Sprintf(":%d", port+slot*portsApart)); err == nil {
			sockets = append(sockets, pc)
			serve = append(serve, func() error { return on(ctx, pc) })
		}
	}
	streams(plainPort, server.Serve)
	streams(securePort, server.ServeTLS)
	packets(securePort, server.ServeQUIC)
	if names {
		packets(namesPort, server.ServeDNS)
		streams(namesPort, server.ServeDNSStream)
		streams(safeNamesPort, server.ServeDoT)
		packets(safeNamesPort, server.ServeDoQ)
	}
	if err != nil {
		for _, s := range sockets {
			s.Close()
		}
		return nil, err
	}
	ended := make(chan error, len(serve))
	for _, f := range serve {
		go func() { ended <- f() }()
	}
	return func() error {
		var all error
		for range serve {
			// One that is shut down before it has begun has nothing to serve any more.
			if err := <-ended; !errors.Is(err, origin.ErrShutDown) {
				all = errors.Join(all, err)
			}
		}
		return all
	}, nil
}

// clientOrder is what the client of a lab is told.
type clientOrder struct {
	Scenario linger.Scenario `json:"scenario"`
	// Places are where the workload's origins are.
	Places []live.Place `json:"places"`
	// Authority is the certificate, in PEM, of who may vouch for the origin.
	Authority []byte `json:"authority"`
	// Pace is the least time between two exchanges that it begins to want.
	Pace time.Duration `json:"pace_ns"`
	// Secrets and Qlog ask for what can be read only here.
	Secrets bool `json:"secrets"`
	Qlog    bool `json:"qlog"`
}

// clientSeen is what the client of a lab answers.
type clientSeen struct {
	Trace *trace.Trace `json:"trace"`
	// Secrets are the lines of SSLKEYLOGFILE.
	Secrets []byte `json:"secrets,omitempty"`
	// Qlog is the qlog of each QUIC connection, by its number.
	Qlog map[int][]byte `json:"qlog,omitempty"`
}

type hostClientCmd struct{}

func (hostClientCmd) Run(ctx context.Context, std streams) error {
	signal.Ignore(os.Interrupt)
	var order clientOrder
	if err := json.NewDecoder(std.in).Decode(&order); err != nil {
		return fmt.Errorf("host client: no order on standard input: %w", err)
	}
	// The end of standard input is the word to stop.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		io.Copy(io.Discard, std.in)
		stop()
	}()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(order.Authority) {
		return errors.New("host client: the order's authority is no certificate")
	}
	config := live.Config{
		Places:     order.Places,
		Roots:      roots,
		Message:    live.Message{Agent: agent()},
		Verify:     true,
		Congestion: congestion,
		Limits:     policy.Limits{Pace: order.Pace},
	}
	var secrets bytes.Buffer
	if order.Secrets {
		config.KeyLog = &secrets
	}
	logs := newQlogs()
	if order.Qlog {
		config.Qlog = logs.open
	}
	t, err := live.Run(ctx, order.Scenario, config)
	if err != nil {
		return err
	}
	return json.NewEncoder(std.out).Encode(clientSeen{Trace: t, Secrets: secrets.Bytes(), Qlog: logs.bytes()})
}

// agent is what this program calls itself in User-Agent.
func agent() string { return "linger/" + version }
