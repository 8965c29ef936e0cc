package packet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/finding"
	"linger/flow"
	"linger/internal/testall"
	"linger/trace"
)

// nothing is a Sink that counts.
type nothing struct{ connections, exchanges int }

func (n *nothing) WriteConnection(*trace.Connection) error { n.connections++; return nil }
func (n *nothing) WriteExchange(*trace.Exchange) error     { n.exchanges++; return nil }

// A load is connections side by side, each with so many requests for bodies of so many
// bytes, which come in segments of at most mss and are acknowledged every two.
type load struct {
	name                             string
	connections, requests, body, mss int
}

var loads = []load{
	{"1 kB a packet", 200, 15, 20_000, 1448},
	{"350 B a packet", 200, 15, 20_000, 435},
	{"a request every 3 packets", 200, 20, 300, 1448},
	{"a request a connection", 2000, 1, 300, 1448},
}

// capture is the load on Ethernet, from a hundred clients. Rounds follow each other, on other
// ports.
func (l load) capture(round int) (file []byte, packets int) {
	f := newFilm()
	f.now, f.step = time.Duration(round)*10*time.Second, time.Microsecond
	const ask = "GET /images/of/some/length.png HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: image/avif,image/webp,*/*\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nReferer: http://www.example.org/\r\n\r\n"
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: nginx/1.28.0\r\nDate: Mon, 30 Nov 2026 00:00:00 GMT\r\nContent-Type: image/png\r\nContent-Length: %d\r\n"+
		"Connection: keep-alive\r\nCache-Control: max-age=3600\r\nETag: \"66f1a2b3-1a2b\"\r\n\r\n", l.body) + strings.Repeat("x", l.body)
	talks := make([]*talk, l.connections)
	for i := range talks {
		port := 1024 + (round*l.connections+i)/100
		talks[i] = f.talk(fmt.Sprintf("10.0.0.%d:%d", 1+i%100, port), server).open()
	}
	for range l.requests {
		for _, c := range talks {
			c.send(cli, flow.ACK|flow.PSH, ask)
			for rest, n := answer, 1; len(rest) > 0; n++ {
				size := min(len(rest), l.mss)
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

// A file is what a load was written to.
type file struct {
	name                     string
	size, packets, exchanges int
}

// write makes a file of at least so many bytes, in the page cache.
func (l load) write(b *testing.B, name string, least int) file {
	out := file{name: name}
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	for round := 0; out.size < least; round++ {
		one, packets := l.capture(round)
		if round > 0 {
			one = one[24:] // without another head of the file
		}
		if _, err := f.Write(one); err != nil {
			b.Fatal(err)
		}
		out.size, out.packets, out.exchanges = out.size+len(one), out.packets+packets, out.exchanges+l.connections*l.requests
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return out
}

func BenchmarkRead(b *testing.B) {
	for _, l := range loads {
		b.Run(l.name, func(b *testing.B) {
			file, packets := l.capture(0)
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

// BenchmarkPeers is all of linger inspect, from the start of its process to its end, beside
// other programs: the same file in the page cache, everybody on the same one core. Figures
// are by processor time, user and system, of the median run; wall-GB/s by the clock, which
// others on the machine make slower. go test -bench Peers -benchtime 5x is five runs of each.
// tshark, which would take minutes, reads a shorter file.
func BenchmarkPeers(b *testing.B) {
	folder := b.TempDir()
	program := filepath.Join(folder, "linger")
	build(b, program)
	for _, l := range loads {
		// Heads take longer than bodies, and less of them tells as much.
		size := 256 << 20
		if l.body > 1000 {
			size = 1 << 30
		}
		if testing.Short() {
			size /= 16
		}
		b.Run(l.name, func(b *testing.B) {
			long, short := l.write(b, filepath.Join(folder, "long.pcap"), size), l.write(b, filepath.Join(folder, "short.pcap"), size/32)
			b.Run("linger", func(b *testing.B) {
				long.runs(b, "of "+finding.Plural(float64(long.exchanges), "request"), program, "inspect")
			})
			b.Run("tcptrace", func(b *testing.B) { long.runs(b, "", "tcptrace", "-n") })
			b.Run("tshark", func(b *testing.B) {
				short.runs(b, "/images/", "tshark", "-n", "-Y", "http", "-T", "fields", "-e", "tcp.stream", "-e", "http.request.uri", "-e", "http.response.code", "-r")
			})
		})
	}
}

// build builds what is measured.
func build(b *testing.B, program string) {
	testall.Needs(b, "taskset")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/linger").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}

// runs measures a program that reads the file, and says so.
func (f file) runs(b *testing.B, says string, args ...string) {
	testall.Needs(b, args[0])
	args = slices.Concat([]string{"-c", fmt.Sprint(core(b))}, args, []string{f.name})
	var cpu, wall []time.Duration
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), "taskset", args...)
		began := time.Now()
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		wall = append(wall, time.Since(began))
		cpu = append(cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		if !bytes.Contains(out, []byte(says)) {
			b.Fatalf("%s: it does not say %s", args, says)
		}
	}
	b.ReportMetric(float64(f.size)/middle(cpu).Seconds()/1e9, "GB/s")
	b.ReportMetric(float64(f.size)/middle(wall).Seconds()/1e9, "wall-GB/s")
	b.ReportMetric(float64(f.packets)/middle(cpu).Seconds()/1e6, "Mpkts/s")
	b.ReportMetric(float64(f.size/f.packets), "B/pkt")
}

// core is the number of a processor that this process may use.
func core(b *testing.B) (n int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	_, list, _ := strings.Cut(string(status), "Cpus_allowed_list:")
	if _, err := fmt.Sscan(list[:strings.IndexAny(list, ",-\n")], &n); err != nil {
		b.Fatal(err)
	}
	return n
}

func middle(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
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
