package host

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"linger"
	"linger/origin"
	"linger/origin/accesslog"
	"linger/origin/authority"
	"linger/origin/listen"
)

// congestion is the algorithm on both sides, whatever this machine's default:
// what Linux has used since 2.6.19, and what most servers run.
const congestion = "cubic"

// Ports of the origin in a lab, those of the schemes: cleartext; TLS over TCP and,
// for HTTP/3, QUIC over UDP. Of a workload of names, DNS over UDP and TCP; DNS over
// TLS and QUIC (RFC 7858, 3.1; RFC 9250, 4.1.1); and over HTTPS, SecurePort. PortsApart is how far
// apart the ports of two origins on one host are.
const (
	PlainPort     = 80
	SecurePort    = 443
	namesPort     = 53
	safeNamesPort = 853

	PortsApart = 1000
)

// ShutdownWithin bounds how long requests under way may take when a server ends.
const ShutdownWithin = 5 * time.Second

// beOrigin serves until standard input ends.
func beOrigin(ctx context.Context, std streams) error {
	var order OriginOrder
	words := json.NewDecoder(std.in)
	if err := words.Decode(&order); err != nil {
		return noOrder("origin", err)
	}
	ca, err := authority.New(time.Now())
	if err != nil {
		return err
	}
	certificate, err := ca.Certificate(order.Names...)
	if err != nil {
		return err
	}
	w := watch{order: order, seen: OriginSeen{Carried: map[string]int{}}}
	var waits []func() error
	for slot, of := range order.Origins {
		server, err := origin.New(origin.Config{
			Workload: order.Workload, Origin: of, Policy: order.Policy, Capacity: order.Capacity,
			Certificates: []tls.Certificate{certificate},
			AltSvc:       fmt.Sprintf("h3=\":%d\"", SecurePort+slot*PortsApart),
			Log:          func(e accesslog.Entry) { w.log(slot, e) },
		})
		if err != nil {
			return err
		}
		served, err := serveAll(ctx, server, slot, order)
		if err != nil {
			return err
		}
		w.servers, waits = append(w.servers, server), append(waits, served)
	}
	out := json.NewEncoder(std.out)
	key := sha256.Sum256(certificate.Leaf.RawSubjectPublicKeyInfo)
	if err := out.Encode(OriginReady{ca.PEM(), base64.StdEncoding.EncodeToString(key[:])}); err != nil {
		return err
	}
	unwatch := w.begin()
	for word := (originWord{}); words.Decode(&word) == nil; word = (originWord{}) {
		if word.Restart {
			for _, server := range w.servers {
				server.Restart()
			}
		}
	}
	unwatch()
	stop, cancel := context.WithTimeout(ctx, ShutdownWithin)
	defer cancel()
	for i, server := range w.servers {
		// What a client has left open is cut off: nobody reads it any more.
		server.Shutdown(stop)
		if err := waits[i](); err != nil {
			return err
		}
		w.seen.Add(server.Counters())
	}
	return out.Encode(w.seen)
}

// A watch notes what the servers of an origin do.
type watch struct {
	order   OriginOrder
	servers []*origin.Server
	mu      sync.Mutex
	seen    OriginSeen
}

// log takes an entry of the access log of the server in that slot.
func (w *watch) log(slot int, e accesslog.Entry) {
	from := e.Remote
	if slot > 0 { // of another port here: the same one of the client is another connection
		from = fmt.Sprintf("%s, port %d", from, slot)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.Event == accesslog.Answered:
		w.seen.Carried[from]++
	case w.order.Watch > 0:
		w.seen.Connections = append(w.seen.Connections, OriginConnection{
			Client: from, Accepted: e.Time.Add(-e.Duration), Closed: e.Time, ClosedBy: e.By, Reason: e.Reason, Requests: e.Request,
		})
	}
}

// begin samples what the servers hold until the returned function is called.
func (w *watch) begin() (end func()) {
	if w.order.Watch <= 0 {
		return func() {}
	}
	ticker, stop := time.NewTicker(w.order.Watch), make(chan struct{})
	var sampling sync.WaitGroup
	sampling.Go(func() {
		for {
			sample := OriginSample{At: time.Now()}
			for _, server := range w.servers {
				sample.Load.Add(server.Load())
			}
			w.seen.Samples = append(w.seen.Samples, sample)
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
		}
	})
	return func() {
		ticker.Stop()
		close(stop)
		sampling.Wait()
	}
}

// openPort takes data in a SYN from whoever has the cookie for it, where this machine
// lets a server do that; the client says what came of it.
func openPort(ctx context.Context, port, backlog int) (net.Listener, error) {
	address := fmt.Sprintf(":%d", port)
	options := listen.Options{Congestion: congestion, FastOpen: true, Backlog: backlog}
	ln, err := listen.TCP(ctx, address, options)
	if err != nil {
		options.FastOpen = false
		ln, err = listen.TCP(ctx, address, options)
	}
	return ln, err
}

// serveAll serves cleartext, TLS and QUIC on the ports of the lab, slot times PortsApart behind
// the first, and names, where there are some, on theirs. The returned function waits until all of
// it has ended.
func serveAll(ctx context.Context, server *origin.Server, slot int, order OriginOrder) (wait func() error, err error) {
	var sockets []io.Closer
	var serve []func() error
	streams := func(port int, on func(context.Context, net.Listener) error) {
		if err != nil {
			return
		}
		var ln net.Listener
		if ln, err = openPort(ctx, port+slot*PortsApart, order.Capacity.Backlog); err == nil {
			sockets = append(sockets, ln)
			serve = append(serve, func() error { return on(ctx, ln) })
		}
	}
	packets := func(port int, on func(context.Context, net.PacketConn) error) {
		if err != nil {
			return
		}
		var pc net.PacketConn
		if pc, err = listen.UDP(ctx, fmt.Sprintf(":%d", port+slot*PortsApart)); err == nil {
			sockets = append(sockets, pc)
			serve = append(serve, func() error { return on(ctx, pc) })
		}
	}
	streams(PlainPort, server.Serve)
	streams(SecurePort, server.ServeTLS)
	packets(SecurePort, server.ServeQUIC)
	if order.Workload.Scheme == linger.SchemeDNS {
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
