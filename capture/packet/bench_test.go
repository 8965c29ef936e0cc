package packet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/flow"
	"linger/trace"
)

// nothing is a Sink that counts.
type nothing struct{ connections, exchanges int }

func (n *nothing) WriteConnection(*trace.Connection) error { n.connections++; return nil }
func (n *nothing) WriteExchange(*trace.Exchange) error     { n.exchanges++; return nil }

// load is a capture of Ethernet: connections side by side, each with so many requests for
// bodies of so many bytes, which come in segments of at most mss and are acknowledged every
// two.
func load(connections, requests, body, mss int) (file []byte, packets int) {
	f := newFilm()
	f.step = time.Microsecond
	const ask = "GET /images/of/some/length.png HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: image/avif,image/webp,*/*\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nReferer: http://www.example.org/\r\n\r\n"
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: nginx/1.28.0\r\nDate: Mon, 30 Nov 2026 00:00:00 GMT\r\nContent-Type: image/png\r\nContent-Length: %d\r\n"+
		"Connection: keep-alive\r\nCache-Control: max-age=3600\r\nETag: \"66f1a2b3-1a2b\"\r\n\r\n", body) + strings.Repeat("x", body)
	talks := make([]*talk, connections)
	for i := range talks {
		talks[i] = f.talk(fmt.Sprintf("192.0.%d.%d:%d", i>>16, i>>8&0xff, 1024+i), server).open()
	}
	for range requests {
		for _, c := range talks {
			c.send(cli, flow.ACK|flow.PSH, ask)
			for rest, n := answer, 1; len(rest) > 0; n++ {
				size := min(len(rest), mss)
				c.send(srv, flow.ACK, rest[:size])
				if rest = rest[size:]; n%2 == 0 || len(rest) == 0 {
					c.send(cli, flow.ACK, "")
				}
			}
		}
	}
	for _, c := range talks {
		c.close(cli)
	}
	mac := make([]byte, 14)
	binary.BigEndian.PutUint16(mac[12:], 0x0800)
	f.wrap(func(ip []byte) []byte { return append(mac[:14:14], ip...) })
	return f.pcap(1, whole), len(f.frames)
}

var loads = []struct {
	name                             string
	connections, requests, body, mss int
}{
	{"1 kB a packet", 200, 15, 20_000, 1448},
	{"350 B a packet", 200, 15, 20_000, 450},
	{"a request every 3 packets", 2000, 20, 300, 1448},
	{"a request a connection", 20_000, 1, 300, 1448},
}

func BenchmarkRead(b *testing.B) {
	for _, l := range loads {
		b.Run(l.name, func(b *testing.B) {
			file, packets := load(l.connections, l.requests, l.body, l.mss)
			runtime.GC()
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				files, err := pcap.Open([]pcap.Input{{Name: "file", From: bytes.NewReader(file)}})
				if err != nil {
					b.Fatal(err)
				}
				var got nothing
				s, err := packet.Read(files, packet.Options{}, &got)
				if err != nil || got.exchanges != l.connections*l.requests || got.connections != l.connections || s.Duplicates > 0 {
					b.Fatalf("%v, %+v, %+v", err, got, s)
				}
			}
			perRun := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(packets)/perRun/1e6, "Mpkts/s")
			b.ReportMetric(float64(len(file))/perRun/1e9, "GB/s")
			b.ReportMetric(float64(len(file)/packets), "B/pkt")
		})
	}
}

// BenchmarkPeers reads the same with other programs, from a file in the page cache.
func BenchmarkPeers(b *testing.B) {
	file, packets := load(200, 15, 20_000, 1448)
	name := filepath.Join(b.TempDir(), "load.pcap")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		b.Fatal(err)
	}
	for _, peer := range [][]string{{"tcptrace", "-n", name}, {"tshark", "-n", "-r", name, "-T", "fields", "-e", "http.request.uri"}} {
		b.Run(peer[0], func(b *testing.B) {
			needs(b, peer[0])
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), peer[0], peer[1:]...)
				cmd.Stdout = io.Discard
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			}
			perRun := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(packets)/perRun/1e6, "Mpkts/s")
			b.ReportMetric(float64(len(file))/perRun/1e9, "GB/s")
		})
	}
}

// TestMemoryIsBoundedByWhatIsOpen has many connections open at once, each with a request that
// waits for its response.
func TestMemoryIsBoundedByWhatIsOpen(t *testing.T) {
	r := packet.New(packet.Options{}, &nothing{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f := newFilm()
	n := int64(0)
	const connections = 20_000
	for i := range connections {
		f.frames = f.frames[:0]
		f.talk(fmt.Sprintf("192.%d.%d.7:%d", i>>15, i>>8&0x7f, 1024+i&0xff), server).open().say(cli, get).say(srv, ok).send(cli, flow.ACK, get)
		for _, one := range f.frames {
			n++
			if err := r.Add(&pcap.Frame{At: 0, Number: n, Link: raw, Data: one.data, Wire: len(one.data)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / connections
	s := r.Finish()
	if s.Connections["http/1.1"] != connections || s.Evicted > 0 {
		t.Fatalf("%+v", s)
	}
	t.Logf("%d bytes each", each)
	if each > 2300 { // so that the most that are tracked take 300 MB, with what is no heap
		t.Errorf("%d bytes of each connection", each)
	}
}
