package trace

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"linger/internal/testall"
	"linger/internal/testcert"
)

const keyLine = "CLIENT_RANDOM 00 11\n"

func withSecrets(t testing.TB, capture []byte, keylog string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := AddSecrets(&out, iotest.OneByteReader(bytes.NewReader(capture)), []byte(keylog)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSecretsStandBehindTheSectionHeader(t *testing.T) {
	plain := capture(time.Unix(1, 2))
	header := int(binary.LittleEndian.Uint32(plain[4:]))
	for _, keylog := range []string{keyLine, keyLine[:17], keyLine[:18], keyLine[:19]} {
		got := withSecrets(t, plain, keylog)
		block := got[header : len(got)-len(plain)+header]
		if !bytes.Equal(got[:header], plain[:header]) || !bytes.Equal(got[header+len(block):], plain[header:]) {
			t.Error("what was there has changed")
		}
		length := binary.LittleEndian.Uint32(block[4:])
		if binary.LittleEndian.Uint32(block) != 0xA || int(length) != len(block) || length%4 != 0 || binary.LittleEndian.Uint32(block[length-4:]) != length ||
			string(block[8:12]) != "KSLT" || int(binary.LittleEndian.Uint32(block[12:])) != len(keylog) || string(block[16:16+len(keylog)]) != keylog {
			t.Errorf("the block is %x", block)
		}
	}
	if got := withSecrets(t, plain, ""); !bytes.Equal(got, plain) {
		t.Error("an empty key log changes the capture")
	}
}

// A capture of another machine may have the other order of bytes, and say how
// long its section is.
func TestSecretsInABigEndianCapture(t *testing.T) {
	var plain []byte
	for _, v := range []uint32{blockSection, 28, byteOrderMagic, 1 << 16, 0, 20, 28, 1, 20, 101 << 16, 0, 20} {
		plain = binary.BigEndian.AppendUint32(plain, v)
	}
	got := withSecrets(t, plain, keyLine)
	if n := binary.BigEndian.Uint64(got[16:]); n != uint64(len(got)-28) {
		t.Errorf("the section says it is %d bytes long; it is %d", n, len(got)-28)
	}
	if binary.BigEndian.Uint32(got[28:]) != 0xA || string(got[36:40]) != "TLSK" {
		t.Errorf("the block begins %x", got[28:40])
	}
}

func TestSecretsAreRefused(t *testing.T) {
	whole := capture(time.Unix(1, 2))
	damaged := slices.Clone(whole)
	damaged[len(damaged)-4]++
	short := slices.Clone(whole)
	binary.LittleEndian.PutUint32(short[4:], 24)
	header := int(binary.LittleEndian.Uint32(whole[4:]))
	tiny := slices.Concat(whole[:header], []byte{1, 0, 0, 0, 8, 0, 0, 0})
	for _, test := range []struct {
		name    string
		capture []byte
		says    string
	}{
		{"nothing", nil, "ends in the middle"},
		{"a text", []byte("this is no capture at all"), "no pcapng"},
		{"pcap", slices.Concat([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0}, make([]byte, 40)), "no pcapng"},
		{"a short section header", short, "no pcapng"},
		{"two sections", slices.Concat(whole, whole), "several sections"},
		{"cut in the section header", whole[:26], "ends in the middle"},
		{"cut in a block's head", whole[:header+5], "ends in the middle"},
		{"cut in a block", whole[:len(whole)-9], "ends in the middle"},
		{"cut before a length", whole[:len(whole)-3], "ends in the middle"},
		{"lengths that differ", damaged, "damaged"},
		{"a block shorter than itself", tiny, "damaged"},
	} {
		err := AddSecrets(io.Discard, bytes.NewReader(test.capture), []byte(keyLine))
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %q", test.name, err, test.says)
		}
	}
	if err := AddSecrets(io.Discard, bytes.NewReader(whole), make([]byte, maxKeyLog+1)); err == nil {
		t.Error("a key log without bound is taken")
	}
	full := errors.New("no space left on device")
	for n := range 5 {
		if err := AddSecrets(&failing{n, full}, bytes.NewReader(whole), []byte(keyLine)); !errors.Is(err, full) {
			t.Errorf("after %d writes: %v", n, err)
		}
	}
}

// failing is a place that takes so many writes.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return len(b), nil
}

func FuzzAddSecrets(f *testing.F) {
	f.Add(capture(time.Unix(1, 2)), keyLine)
	f.Add(capture(time.Unix(1, 2)), "")
	f.Add([]byte("\x0a\x0d\x0d\x0a\x00\x00\x00\x1c\x1a\x2b\x3c\x4d\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x1c"), keyLine)
	f.Fuzz(func(t *testing.T, capture []byte, keylog string) {
		var out bytes.Buffer
		if err := AddSecrets(&out, bytes.NewReader(capture), []byte(keylog)); err != nil {
			return
		}
		want := len(capture)
		if keylog != "" {
			want += 20 + (len(keylog)+3)&^3
		}
		if out.Len() != want {
			t.Fatalf("%d bytes with a key log of %d became %d", len(capture), len(keylog), out.Len())
		}
		// What was accepted is a pcapng file of one section, and so is what became of it.
		if err := AddSecrets(io.Discard, &out, []byte(keylog)); err != nil {
			t.Fatal(err)
		}
	})
}

// recorded writes down what a connection carries as packets of TCP over IPv4, as
// if nothing had been lost. One side is recorded; each Read and Write is a packet.
type recorded struct {
	net.Conn
	*recorder
}

type recorder struct {
	mu   sync.Mutex
	file []byte
	next [2]uint32 // sequence numbers: of the client, of the server
	at   time.Time
}

func (r *recorder) packet(from int, flags byte, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	const segment = 1400
	for {
		n := min(segment, len(data))
		b := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
			0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0}
		if from == 1 {
			b[15], b[19] = 2, 1
			copy(b[20:], []byte{0x01, 0xbb, 0x9c, 0x40})
		}
		binary.BigEndian.PutUint16(b[2:], uint16(40+n))
		binary.BigEndian.PutUint32(b[24:], r.next[from])
		binary.BigEndian.PutUint32(b[28:], r.next[1-from])
		r.next[from] += uint32(n) + uint32(flags&2>>1)
		r.at = r.at.Add(time.Millisecond)
		r.file = AppendPcapngPacket(r.file, from, r.at, append(b, data[:n]...), "")
		if data = data[n:]; len(data) == 0 {
			return
		}
	}
}

func (c recorded) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.packet(1, 0x18, b[:n])
	}
	return n, err
}

func (c recorded) Write(b []byte) (int, error) {
	c.packet(0, 0x18, b)
	return c.Conn.Write(b)
}

// A client records what it sends and receives over loopback; tshark reads the
// requests, in HTTP/1.1 and HTTP/2, only once the secrets are in the capture.
func TestTsharkDecryptsWithTheSecrets(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		testall.Lacks(t, "tshark is not installed: %v", err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", 3000))
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{testcert.SelfSigned(x509.Certificate{DNSNames: []string{"origin"}})}}
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for _, test := range []struct {
		alpn, field string
	}{{"http/1.1", "http.request.uri"}, {"h2", "http2.headers.path"}} {
		t.Run(strings.ReplaceAll(test.alpn, "/", ""), func(t *testing.T) {
			r := &recorder{at: time.Unix(1_700_000_000, 0), file: AppendPcapngHeader(nil, PcapngInterface{Name: "up"}, PcapngInterface{Name: "down"})}
			var keylog bytes.Buffer
			transport := &http.Transport{
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					c, err := new(net.Dialer).DialContext(ctx, network, address)
					r.packet(0, 2, nil)
					r.packet(1, 0x12, nil)
					r.packet(0, 0x10, nil)
					return recorded{c, r}, err
				},
				TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &keylog, MinVersion: tls.VersionTLS13},
				Protocols:         new(http.Protocols),
				ForceAttemptHTTP2: test.alpn == "h2",
			}
			transport.Protocols.SetHTTP1(test.alpn != "h2")
			transport.Protocols.SetHTTP2(test.alpn == "h2")
			for _, path := range []string{"/a", "/b", "/c"} {
				resp, err := (&http.Client{Transport: transport}).Get(server.URL + path)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			transport.CloseIdleConnections()
			r.mu.Lock()
			defer r.mu.Unlock()
			if got := requests(t, tshark, r.file, test.field); got != "" {
				t.Errorf("without secrets tshark reads %q", got)
			}
			if got := requests(t, tshark, withSecrets(t, r.file, keylog.String()), test.field); got != "/a /b /c" {
				t.Errorf("tshark reads %q; want /a /b /c", got)
			}
		})
	}
}

// requests returns what tshark decrypts of a field, with a blank between.
func requests(t *testing.T, tshark string, capture []byte, field string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.pcapng")
	if err := os.WriteFile(file, capture, 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tshark, "-n", "-r", file, "-Y", field, "-T", "fields", "-e", field)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}
