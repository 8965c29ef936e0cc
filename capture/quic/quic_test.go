package quic_test

import (
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"linger"
	"linger/capture/quic"
	"linger/capture/talk"
	"linger/trace"
)

func TestHandshakeAndStreams(t *testing.T) {
	for _, version := range []quicgo.Version{quicgo.Version1, quicgo.Version2} {
		t.Run(version.String(), func(t *testing.T) {
			c := &quicgo.Config{Versions: []quicgo.Version{version}, MaxIdleTimeout: 7 * time.Second, MaxIncomingStreams: 30}
			w := serve(t, c, nil)
			q, _ := w.dial(t, 5000, 0, &quicgo.Config{Versions: []quicgo.Version{version}, MaxIdleTimeout: 9 * time.Second}, false)
			ask(t, q, 10)
			ask(t, q, 30_000)
			q.CloseWithError(7, "enough")
			log := w.settle()

			conn, h := read(t, log, w.keys.log())
			h.echoes(t, map[int64]int{0: 10, 4: 30_000})
			f := conn.Facts()
			tls := conn.Hello().Or(trace.TLS{})
			if tls.ServerName != "www.example" || tls.ALPN != "echo" || tls.Version != "1.3" || tls.Keys != trace.AllKeys || len(tls.Names) != 1 ||
				tls.Up < 300 || tls.Down < 500 || tls.Certificates < 200 || tls.Resumed || tls.Tickets != linger.Known[int64](1) {
				t.Errorf("TLS: %+v", tls)
			}
			want := quic.Close{By: talk.Client, Application: true, Code: 7, Reason: "enough"}
			if len(h.closes) != 1 || h.closes[0] != want {
				t.Errorf("closes: %+v, want %+v", h.closes, want)
			}
			if f.Idle != linger.Known(7*time.Second) || f.ServerIdle != f.Idle || f.Streams != linger.Known[int64](30) {
				t.Errorf("limits: %v, %v, %v", f.Idle, f.ServerIdle, f.Streams)
			}
			name := map[quicgo.Version]string{quicgo.Version1: "1", quicgo.Version2: "2"}[version]
			if got := conn.Transport().Or(trace.QUIC{}); got.Version != name || got.Retry {
				t.Errorf("transport: %+v", got)
			}
			if !f.Began || f.Secured.IsZero() || f.Missed != 0 || f.Missing != 0 || !conn.Opens() {
				t.Errorf("facts: %+v", f)
			}
			for s := range h.packets {
				if h.packets[s] != h.opened[s] {
					t.Errorf("side %d: %d of %d packets opened", s, h.opened[s], h.packets[s])
				}
			}

			blind, b := read(t, log, nil)
			bf := blind.Facts()
			bt := blind.Hello().Or(trace.TLS{})
			if bt.ServerName != "www.example" || len(bt.Offered) != 1 || bt.ALPN != "" || bt.Cipher == "" || bt.Keys != "" || bt.Up != 0 {
				t.Errorf("without keys, TLS: %+v", bt)
			}
			if bf.Secured != f.Secured {
				t.Errorf("without keys, secured at %v, with them %v", bf.Secured, f.Secured)
			}
			if len(b.streams[0])+len(b.streams[1])+len(b.closes) != 0 || blind.Opens() {
				t.Errorf("without keys: %+v", b)
			}
		})
	}
}
