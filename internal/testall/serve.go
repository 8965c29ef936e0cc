package testall

import (
	"bytes"
	"net"
	"testing"
)

// Accept hands each connection to a server on loopback until the test ends, and closes what
// serve returns from. It returns the address that it listens at.
func Accept(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

// AnswerDatagrams answers each datagram that comes to an address until the test ends, several
// at once; nil is no answer. It returns the address that it listens at.
func AnswerDatagrams(t testing.TB, at string, answer func(query []byte) []byte) (address string) {
	t.Helper()
	socket, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		in := make([]byte, 64<<10)
		for {
			n, from, err := socket.ReadFrom(in)
			if err != nil {
				return
			}
			query := bytes.Clone(in[:n])
			go func() {
				if b := answer(query); b != nil {
					socket.WriteTo(b, from)
				}
			}()
		}
	}()
	return socket.LocalAddr().String()
}
