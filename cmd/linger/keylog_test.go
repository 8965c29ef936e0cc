package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"linger/internal/testcert"
)

// A wiretap writes what a side says as packets of a pcap, raw IP.
type wiretap struct {
	net.Conn
	to   *wire
	from int
}

type wire struct {
	mu   sync.Mutex
	file bytes.Buffer
	next [2]uint32
}

func (w *wire) segment(from int, flags byte, data []byte) {
	ports := [2]uint16{40000, 443}
	b := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0}, 192, 0, 2, byte(1+from), 192, 0, 2, byte(2-from))
	binary.BigEndian.PutUint16(b[2:], uint16(40+len(data)))
	b = binary.BigEndian.AppendUint16(b, ports[from])
	b = binary.BigEndian.AppendUint16(b, ports[1-from])
	b = binary.BigEndian.AppendUint32(b, w.next[from])
	b = binary.BigEndian.AppendUint32(b, w.next[1-from])
	b = append(append(b, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0), data...)
	if w.next[from] += uint32(len(data)); flags&3 != 0 {
		w.next[from]++
	}
	for _, v := range []uint32{1_700_000_000, uint32(w.file.Len()), uint32(len(b)), uint32(len(b))} {
		w.file.Write(binary.LittleEndian.AppendUint32(nil, v))
	}
	w.file.Write(b)
}

func (w *wiretap) Write(b []byte) (int, error) {
	w.to.mu.Lock()
	for rest := b; len(rest) > 0; rest = rest[min(1400, len(rest)):] {
		w.to.segment(w.from, 0x18, rest[:min(1400, len(rest))])
	}
	w.to.mu.Unlock()
	return w.Conn.Write(b)
}

// TestSecretsStayInside has a capture decrypted, and looks for its keys and for what it carried in
// all that is written.
func TestSecretsStayInside(t *testing.T) {
	const hush = "the hushed body"
	var w wire
	for _, v := range []uint32{0xa1b2c3d4, 4<<16 | 2, 0, 0, 1 << 18, 101} {
		w.file.Write(binary.LittleEndian.AppendUint32(nil, v))
	}
	var keys bytes.Buffer
	w.segment(0, 2, nil)
	w.segment(1, 0x12, nil)
	w.segment(0, 0x10, nil)
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() {
		s := tls.Server(&wiretap{b, &w, 1}, &tls.Config{Certificates: []tls.Certificate{testcert.SelfSigned(x509.Certificate{DNSNames: []string{"h.example"}})}})
		buf := make([]byte, 1000)
		if _, err := s.Read(buf); err != nil {
			done <- err
			return
		}
		_, err := io.WriteString(s, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\nSet-Cookie: hushed=cookie\r\n\r\n"+hush)
		done <- err
	}()
	c := tls.Client(&wiretap{a, &w, 0}, &tls.Config{ServerName: "h.example", InsecureSkipVerify: true, KeyLogWriter: &keys})
	if _, err := io.WriteString(c, "POST /found HTTP/1.1\r\nHost: h.example\r\nAuthorization: Bearer hushed\r\nContent-Length: 15\r\n\r\n"+hush); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.segment(0, 0x11, nil)
	w.segment(1, 0x11, nil)

	dir, temp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, b := range map[string][]byte{"a.pcap": w.file.Bytes(), "keys": keys.Bytes(), "damaged": append([]byte("CLIENT_RANDOM hushed\n"), keys.Bytes()[:150]...)} {
		if err := os.WriteFile(at(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at("empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _, _ := command(t, "inspect", at("a.pcap"), "--keylog", at("empty")); !strings.Contains(out, "empty holds no TLS keys") {
		t.Errorf("a key log without keys passes for one:\n%s", out)
	}
	if out, _, _ := command(t, "inspect", at("a.pcap"), "--keylog", at("keys"), "--find", "/found", "--redact"); !strings.Contains(out, "/…") || strings.Contains(out, "found") || strings.Contains(out, "h.example") || strings.Contains(out, "192.0.2") {
		t.Errorf("it is redacted:\n%s", out)
	}
	var all strings.Builder
	for _, args := range [][]string{
		{"--wide"}, {"--json"}, {"--find", "/found"}, {"--keylog", at("damaged"), "--wide"}, {"--keylog", at("absent")},
		{"-o", at("o.json"), "-o", at("o.txt"), "-o", at("o.csv"), "-o", at("o.tsv"), "-o", at("o.xml"), "-o", at("o.sarif"), "-o", at("o.prom"), "-o", at("o.pcapng"), "--find", "/found"},
	} {
		out, said, _ := command(t, append([]string{"inspect", at("a.pcap"), "--keylog", at("keys")}, args...)...)
		all.WriteString(out + said)
	}
	if !strings.Contains(all.String(), "https://h.example/found") {
		t.Errorf("it was not decrypted:\n%s", all.String())
	}
	for _, folder := range []string{dir, temp} {
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if b, err := os.ReadFile(filepath.Join(folder, f.Name())); err == nil && f.Name() != "keys" && f.Name() != "damaged" {
				all.Write(b)
			}
		}
	}
	written := all.String()
	for _, secret := range []string{hush, "hushed"} {
		if strings.Contains(written, secret) {
			t.Errorf("it says %q", secret)
		}
	}
	for line := range strings.Lines(keys.String()) {
		secret := strings.Fields(line)[2]
		raw, err := hex.DecodeString(secret)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(written, secret) || strings.Contains(written, string(raw)) {
			t.Errorf("it says a secret of %s", strings.Fields(line)[0])
		}
	}
}
