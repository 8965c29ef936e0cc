package main

import (
	"encoding/binary"
	"os"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Flags of TCP (RFC 9293, 3.1).
const (
	tcpFIN = 1 << iota
	tcpSYN
	tcpRST
	tcpPSH
	tcpACK
)

// A bothEnds writes two captures of one traffic, in pcap: at the client, and at the server 20 ms
// behind it, whose clock is ahead.
type bothEnds struct {
	client, server []byte
	ahead          time.Duration
	port           uint16    // of the client
	next           [2]uint32 // sequence numbers, of client and server
}

const (
	fromClient = iota
	fromServer

	oneWay    = 20 * time.Millisecond
	boxAnswer = 5 * time.Millisecond // after which the box has answered the client
)

// packet returns an IPv4 packet; checksums are left out, as captures of offloading hosts have them.
func (b *bothEnds) packet(from int, flags byte, payload string) []byte {
	p := make([]byte, 40, 40+len(payload))
	addresses := [2][]byte{{192, 0, 2, 1}, {198, 51, 100, 1}}
	ports := [2]uint16{b.port, 80}
	p[0], p[8], p[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(p[2:], uint16(40+len(payload)))
	copy(p[12:], addresses[from])
	copy(p[16:], addresses[1-from])
	binary.BigEndian.PutUint16(p[20:], ports[from])
	binary.BigEndian.PutUint16(p[22:], ports[1-from])
	binary.BigEndian.PutUint32(p[24:], b.next[from])
	if flags&tcpACK != 0 {
		binary.BigEndian.PutUint32(p[28:], b.next[1-from])
	}
	p[32], p[33] = 5<<4, flags
	binary.BigEndian.PutUint16(p[34:], 65535)
	return append(p, payload...)
}

// record appends a packet to a capture; at is since it began.
func record(file []byte, at time.Duration, packet []byte) []byte {
	at += 1_767_323_045 * time.Second // 2026-01-02T03:04:05Z
	for _, v := range []uint32{uint32(at / time.Second), uint32(at % time.Second / time.Microsecond), uint32(len(packet)), uint32(len(packet))} {
		file = binary.LittleEndian.AppendUint32(file, v)
	}
	return append(file, packet...)
}

// send has a side send; at is when, by the client's clock. It passes the other end one way later.
func (b *bothEnds) send(at time.Duration, from int, flags byte, payload string) {
	p := b.packet(from, flags, payload)
	near, far := at, at+oneWay
	if from == fromServer {
		near, far = at+oneWay, at
	}
	b.client, b.server = record(b.client, near, p), record(b.server, far+b.ahead, p)
	b.next[from] += uint32(len(payload))
	if flags&(tcpSYN|tcpFIN) != 0 {
		b.next[from]++
	}
}

// opens opens a connection at a time and has one request answered.
func (b *bothEnds) opens(at time.Duration) {
	b.port++
	b.next = [2]uint32{1000 * uint32(b.port), 3000 * uint32(b.port)}
	b.send(at, fromClient, tcpSYN, "")
	b.send(at+oneWay, fromServer, tcpSYN|tcpACK, "")
	b.send(at+2*oneWay, fromClient, tcpACK, "")
	b.send(at+2*oneWay+time.Microsecond, fromClient, tcpPSH|tcpACK, "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
	b.send(at+3*oneWay+2*time.Microsecond, fromServer, tcpPSH|tcpACK, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	b.send(at+4*oneWay+3*time.Microsecond, fromClient, tcpACK, "")
}

// bothEndsCmd writes two captures: bothends CLIENT SERVER PORT AHEAD
//
// A box in between forgets the first connection while it idles, and answers what the client then
// sends by an RST. It resets the second one at both ends. The third one the client closes.
func bothEndsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: bothends CLIENT SERVER PORT AHEAD")
	}
	port, err := strconv.ParseUint(args[2], 10, 16)
	ts.Check(err)
	ahead, err := time.ParseDuration(args[3])
	ts.Check(err)
	// Version 2.4, frames of 65535 bytes at most that begin with the IP header.
	header := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0}
	b := bothEnds{client: header, server: append([]byte{}, header...), ahead: ahead, port: uint16(port)}

	b.opens(0)
	idle := 2 * time.Second
	b.client = record(b.client, idle, b.packet(fromClient, tcpPSH|tcpACK, "GET /lost HTTP/1.1\r\nHost: shop.example\r\n\r\n"))
	b.client = record(b.client, idle+boxAnswer, b.packet(fromServer, tcpRST, ""))

	b.opens(idle + 2*boxAnswer)
	reset := idle + time.Second
	b.client = record(b.client, reset, b.packet(fromServer, tcpRST, ""))
	b.server = record(b.server, reset+ahead, b.packet(fromClient, tcpRST, ""))

	b.opens(reset + time.Second)
	b.send(reset+2*time.Second, fromClient, tcpFIN|tcpACK, "")
	b.send(reset+2*time.Second+oneWay, fromServer, tcpFIN|tcpACK, "")
	b.send(reset+2*time.Second+2*oneWay, fromClient, tcpACK, "")

	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.client, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.server, 0o600))
}
