package origin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"

	"linger"
	"linger/origin/listen"
)

// exchange sends request and reads a response of size bytes, into buf.
func exchange(b *testing.B, c net.Conn, request, buf []byte) {
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf); err != nil {
		b.Fatal(err)
	}
}

// dialFor returns a connection and a buffer of the size of the whole response.
func dialFor(b *testing.B, address string, request []byte, body int) (net.Conn, []byte) {
	c := must(net.Dial("tcp", address))
	b.Cleanup(func() { c.Close() })
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, body+4<<10)
	n := 0
	for {
		k, err := c.Read(buf[n:])
		if err != nil {
			b.Fatal(err)
		}
		n += k
		if i := bytes.Index(buf[:n], []byte("\r\n\r\n")); i >= 0 && n == i+4+body {
			return c, buf[:n]
		}
	}
}

// kept measures one kept connection and one request at a time.
func kept(b *testing.B, address string, body int) {
	request := fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: origin\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n", body)
	c, buf := dialFor(b, address, request, body)
	b.ReportAllocs()
	b.SetBytes(int64(body))
	for b.Loop() {
		exchange(b, c, request, buf)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

var benchSizes = []int{1 << 10, 64 << 10, 1 << 20}

func benchWorkload() linger.Workload {
	w := linger.Workload{Name: "bench", Scheme: "http"}
	for _, n := range benchSizes {
		w.Exchanges = append(w.Exchanges, linger.Exchange{
			Method: "GET", Path: "/" + strconv.Itoa(n), Status: 200, ContentType: "image/png", ResponseBody: int64(n), Parent: linger.NoParent,
		})
	}
	return w
}

func BenchmarkKept(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			_, address := onLoopback(b, Config{Workload: benchWorkload()})
			kept(b, address, size)
		})
	}
}

// BenchmarkKeptNetHTTP is the same load on net/http's server, to compare with.
func BenchmarkKeptNetHTTP(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			body := make([]byte, size)
			ln := must(listen.TCP(b.Context(), "127.0.0.1:0", listen.Options{}))
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "image/png")
				w.Header().Set("Content-Length", strconv.Itoa(size))
				w.Write(body)
			})}
			done := make(chan struct{})
			go func() { server.Serve(ln); close(done) }()
			kept(b, ln.Addr().String(), size)
			server.Shutdown(context.Background())
			<-done
		})
	}
}

// BenchmarkPipelined is 40 requests of 1 KB on the wire at once.
func BenchmarkPipelined(b *testing.B) {
	_, address := onLoopback(b, Config{Workload: benchWorkload()})
	const depth = 40
	one := []byte("GET /1024 HTTP/1.1\r\nHost: origin\r\n\r\n")
	_, response := dialFor(b, address, one, 1024)
	request := bytes.Repeat(one, depth)
	c := must(net.Dial("tcp", address))
	defer c.Close()
	buf := make([]byte, depth*len(response))
	b.ReportAllocs()
	for b.Loop() {
		exchange(b, c, request, buf)
	}
	b.ReportMetric(float64(b.N)*depth/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkClose is a connection for each request.
func BenchmarkClose(b *testing.B) {
	_, address := onLoopback(b, Config{Workload: benchWorkload()})
	request := []byte("GET /1024 HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n")
	for b.Loop() {
		c := must(net.Dial("tcp", address))
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
