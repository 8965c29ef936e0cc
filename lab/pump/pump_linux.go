package pump

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"linger"
	"linger/flow"
	"linger/link"
	"linger/trace"
)

// A Port is one host as the pump sees it.
type Port struct {
	FD    int // of OpenTUN; the pump does not close it
	Addr  netip.Addr
	Side  Side
	Delay time.Duration // the host's own, in each direction, beside the network's
	// Range are further addresses of the host, if valid: that many clients on it, or more.
	Range netip.Prefix
	// Capture, if not nil, gets what the host sends and is sent, as pcapng.
	Capture *os.File
}

// A Config is what a pump is made of.
type Config struct {
	Network linger.Network
	Seed    uint64 // decides which packets are lost
	Ports   []Port
	// Own gives each address on the client's side a pair of links for itself, made when it is
	// first seen, whose losses depend on the seed and the address alone. Otherwise all share one.
	Own bool
	// PipesOnly leaves the connections out of the ledger.
	PipesOnly bool
	// Capture, if not nil, gets each packet as sent into a link, as pcapng, up to
	// CaptureLimit bytes (0 is 1 GiB). The file is whole when Run has returned.
	Capture      *os.File
	CaptureLimit int64
	// Forget is after how much silence the box between the sides forgets a connection; 0 is
	// no box.
	Forget time.Duration
	// Refuses and ResetsBoth are as in lab.Config.
	Refuses, ResetsBoth bool
	// Held is how many bytes the pump may hold; 0 is 256 MiB, which is 1 Gbit/s for
	// two seconds. A packet beyond is dropped as if a queue were full.
	Held int
}

// A Pump carries packets between hosts: from a client through the up link to a
// server, from a server through the down link to a client, and between two hosts
// of one side at once. What is addressed to nobody goes nowhere, and counts
// nowhere. One thread, that of Run, owns everything but the last fields.
type Pump struct {
	began   time.Time // Instant 0
	hosts   []host
	routes  map[[4]byte]int // addresses to hosts
	ranges  []int           // hosts that have a range of addresses
	network linger.Network
	seed    uint64
	hops    hops
	// shared is the first of the pair of links for all, own those of each client's address;
	// nil where all share one.
	shared  int32
	own     map[[4]byte]int32
	polled  []unix.PollFd
	buffers *buffers
	spare   buffer // that the next packet is read into
	scratch []byte // for a segment that only the capture wants
	// whole says of the link from each Side that it neither shapes nor loses, so
	// that a super-packet may travel as one.
	whole   [2]bool
	counts  *ledger
	capture *capture
	box     *box // nil is none
	alarm   alarm

	wake     int // eventfd
	stopping atomic.Bool
	asked    chan chan *snapshot
	done     chan struct{} // closed when Run has returned
	mu       sync.Mutex    // guards the life of wake
}

// A host is a port, and the hops that are its own delay, out and in, or -1.
type host struct {
	Port
	out, in int32
	seen    *capture // nil is none
}

// A parcel is a packet on the way: the first size bytes of a buffer.
type parcel struct {
	buffer   buffer
	size     int32
	segments int32
	from, to int32 // hosts
}

// maxHosts bounds the ports of one pump, which looks at each before it sleeps.
const maxHosts = 250

// batch is how many packets are read from one host before the next has its turn.
const batch = 16

// DeviceName is what each host calls its interface to the path, in captures too.
const DeviceName = "link0"

// New makes a pump between hosts whose devices are open.
func New(c Config) (*Pump, error) {
	if err := c.Network.Validate(); err != nil {
		return nil, err
	}
	if len(c.Ports) > maxHosts {
		return nil, fmt.Errorf("%d hosts on one link; it carries at most %d", len(c.Ports), maxHosts)
	}
	p := &Pump{
		routes:  make(map[[4]byte]int),
		buffers: newBuffers(cmp.Or(c.Held, bufferLimit)),
		scratch: make([]byte, maxPacket),
		whole:   [2]bool{c.Network.Up == 0 && c.Network.Loss == 0, c.Network.Down == 0 && c.Network.Loss == 0},
		network: c.Network,
		seed:    c.Seed,
		counts:  newLedger(maxFlows),
		alarm:   newAlarm(),
		asked:   make(chan chan *snapshot, 1),
		done:    make(chan struct{}),
	}
	p.counts.pipesOnly = c.PipesOnly
	if p.shared = p.hops.pair(c.Network, c.Seed, 0); c.Own {
		p.own = make(map[[4]byte]int32)
	}
	for i, port := range c.Ports {
		if !port.Addr.Is4() {
			return nil, fmt.Errorf("a host has the address %v; give it one of IPv4", port.Addr)
		}
		if port.Delay < 0 {
			return nil, fmt.Errorf("host %v has a delay of %v; give it 0 or more", port.Addr, port.Delay)
		}
		if _, ok := p.routes[port.Addr.As4()]; ok {
			return nil, fmt.Errorf("two hosts have the address %v; give each its own", port.Addr)
		}
		p.routes[port.Addr.As4()] = i
		if port.Range.IsValid() {
			p.ranges = append(p.ranges, i)
		}
		p.hosts = append(p.hosts, host{port, p.hops.line(port.Delay, atLink), p.hops.line(port.Delay, atHost), nil})
		p.polled = append(p.polled, unix.PollFd{Fd: int32(port.FD), Events: unix.POLLIN})
	}
	var err error
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	p.polled = append(p.polled, unix.PollFd{Fd: int32(p.wake), Events: unix.POLLIN})
	p.spare, _ = p.buffers.get(maxPacket)
	p.began = time.Now()
	if c.Capture != nil {
		p.capture = newCapture(c.Capture, c.CaptureLimit, p.began, linkInterfaces...)
	}
	for i := range p.hosts {
		if h := &p.hosts[i]; h.Capture != nil {
			h.seen = newCapture(h.Capture, c.CaptureLimit, p.began, trace.PcapngInterface{Name: DeviceName})
		}
	}
	if c.Forget > 0 {
		p.box = newBox(c.Forget)
		p.box.refuses, p.box.resetsBoth = c.Refuses, c.ResetsBoth
	}
	return p, nil
}

// hostOf returns the host that has an address.
func (p *Pump) hostOf(a [4]byte) (host int, known bool) {
	if i, ok := p.routes[a]; ok {
		return i, true
	}
	for _, i := range p.ranges {
		if p.hosts[i].Range.Contains(netip.AddrFrom4(a)) {
			return i, true
		}
	}
	return 0, false
}

// linkOf returns the link for a packet from one host to one on the other side.
func (p *Pump) linkOf(pk *packet, from, to int) int32 {
	side := p.hosts[from].Side
	if p.own == nil {
		return p.shared + int32(side)
	}
	client, at := pk.src, from
	if side == Server {
		client, at = pk.dst, to
	}
	pair, ok := p.own[client]
	if !ok {
		// What is sent in another's name goes by the host's own link.
		if has, known := p.hostOf(client); !known || has != at {
			client = p.hosts[at].Addr.As4()
		}
		if pair, ok = p.own[client]; !ok {
			pair = p.hops.pair(p.network, p.seed, uint64(binary.BigEndian.Uint32(client[:])))
			p.own[client] = pair
		}
	}
	return pair + int32(side)
}

// Run moves packets until Stop is called, and then ends the capture, whose first
// error it returns. Packets still on the way are dropped.
func (p *Pump) Run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.loop()
	if p.capture != nil {
		err = errors.Join(err, p.capture.close(p.now()))
	}
	for _, h := range p.hosts {
		if h.seen != nil {
			err = errors.Join(err, h.seen.close(p.now()))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	unix.Close(p.wake)
	p.wake = -1
	return err
}

func (p *Pump) loop() error {
	// Timers of a thread fire up to its slack late, 50 µs by default (prctl(2)).
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	for !p.stopping.Load() {
		p.advance(p.now())
		if err := p.sleep(); err != nil {
			return err
		}
		for i := range p.hosts {
			if p.polled[i].Revents != 0 {
				p.read(i)
			}
		}
		if p.polled[len(p.hosts)].Revents != 0 {
			p.answer()
		}
	}
	return nil
}

// now returns the time since the pump was made.
func (p *Pump) now() linger.Instant { return linger.Instant(time.Since(p.began)) }

// sleep waits until a host has sent something, a packet is due or somebody asks.
func (p *Pump) sleep() error {
	var timeout *unix.Timespec
	var planned time.Duration
	now := p.now()
	if next := p.hops.next(); next != linger.Never {
		planned = p.alarm.plan(now, next.Sub(now))
		ts := unix.NsecToTimespec(int64(planned))
		timeout = &ts
	}
	n, err := unix.Ppoll(p.polled, timeout, nil)
	if err == unix.EINTR {
		for i := range p.polled {
			p.polled[i].Revents = 0
		}
		return nil
	}
	if n == 0 && planned > 0 {
		p.alarm.woke(planned, p.now().Sub(now)-planned)
	}
	return os.NewSyscallError("ppoll", err)
}

// advance moves on what was due by now, in the order in which it was due and
// with that time.
func (p *Pump) advance(now linger.Instant) {
	for p.hops.next() <= now {
		c, at, e := p.hops.receive()
		switch e {
		case atSide:
			p.arrive(at, c)
		case atLink:
			p.enter(at, c)
		case atHost:
			p.write(at, c)
		}
	}
}

// read takes a batch of packets from host i. What has become due is served in
// between, so that a host that sends much delays nobody.
func (p *Pump) read(i int) {
	for range batch {
		n, err := rawRead(p.hosts[i].FD, p.buffers.at(p.spare)[:maxPacket])
		switch err {
		case 0:
		case unix.EAGAIN:
			return
		case unix.EINTR:
			continue
		default:
			p.polled[i].Fd = -1 // the device is gone, and the host with it
			return
		}
		now := p.now()
		if seen := p.hosts[i].seen; seen != nil {
			seen.packet(0, now, p.buffers.at(p.spare)[:n], "")
		}
		p.advance(now)
		c := parcel{buffer: p.take(n), size: int32(n), from: int32(i)}
		// A packet that was left in the spare buffer found no room: enter drops it.
		if out := p.hosts[i].out; out >= 0 && c.buffer != p.spare {
			p.hops.send(out, now, n, c)
		} else {
			p.enter(now, c)
		}
	}
}

// take returns the buffer that holds the n bytes just read: the spare one, for
// which another then stands in, or a smaller one that they are copied to. If
// there is none, it returns the spare one, which stays where it is.
func (p *Pump) take(n int) buffer {
	if n > p.buffers.classes[1].size {
		b := p.spare
		if next, ok := p.buffers.get(maxPacket); ok {
			p.spare = next
		}
		return b
	}
	b, ok := p.buffers.get(n)
	if !ok {
		return p.spare
	}
	copy(p.buffers.at(b), p.buffers.at(p.spare)[:n])
	return b
}

// free gives the buffer of a parcel back.
func (p *Pump) free(c parcel) {
	if c.buffer != p.spare {
		p.buffers.put(c.buffer)
	}
}

// enter takes a packet at the entry to its link, counts it and sends it in,
// super-packets in segments where the link treats each for itself.
func (p *Pump) enter(at linger.Instant, c parcel) {
	pk, ok := parsePacket(p.buffers.at(c.buffer)[:c.size])
	to, known := p.hostOf(pk.dst)
	if !ok || !known || to == int(c.from) {
		p.free(c)
		return
	}
	c.to, c.size, c.segments = int32(to), int32(len(pk.data)), int32(pk.segments)
	from := int(c.from)
	side := p.hosts[from].Side
	if side == p.hosts[to].Side {
		if c.buffer != p.spare {
			p.arrive(at, c)
		}
		return
	}
	n := p.linkOf(&pk, from, to)
	f := p.counts.flow(&pk, side, at)
	switch {
	case c.buffer == p.spare:
		for i := range pk.segments {
			p.counted(f, c, at, &pk, i, n, link.Dropped)
		}
	case p.whole[side] || pk.segments == 1:
		outcome := p.hops.send(n, at, pk.Headers+pk.Payload, c)
		for i := range pk.segments {
			p.counted(f, c, at, &pk, i, n, outcome)
		}
		if outcome != link.Carried {
			p.free(c)
		}
	default:
		for i := range pk.segments {
			p.counted(f, c, at, &pk, i, n, p.segment(at, c, &pk, i, n))
		}
		p.free(c)
	}
}

// segment sends segment i of the super-packet in c into link n as a packet of its own.
func (p *Pump) segment(at linger.Instant, c parcel, pk *packet, i int, n int32) link.Outcome {
	size := pk.Headers + pk.payloadOf(i)
	b, ok := p.buffers.get(vnetSize + size)
	if !ok {
		return link.Dropped
	}
	s := parcel{b, int32(vnetSize + size), 1, c.from, c.to}
	outcome := p.hops.send(n, at, size, s)
	if outcome == link.Carried {
		pk.cut(p.buffers.at(b), i)
	} else {
		p.buffers.put(b)
	}
	return outcome
}

// counted enters segment i of pk, which is or was in c and came to link n, into the ledger and
// the capture.
func (p *Pump) counted(f *flow.Flow, c parcel, at linger.Instant, pk *packet, i int, n int32, outcome link.Outcome) {
	from := &p.hosts[c.from]
	side := from.Side
	t := passage{left: at.Add(-from.Delay), at: at, outcome: outcome}
	if outcome == link.Carried {
		t.arrives = p.hops.all[n].Latest().Add(p.hosts[c.to].Delay)
	}
	p.counts.sent(f, side, pk, i, t)
	if p.capture == nil {
		return
	}
	data := pk.data
	if pk.segments > 1 {
		data = p.scratch[:pk.cut(p.scratch, i)]
	}
	p.capture.packet(int(side), at, data, outcomes[outcome])
}

// arrive takes a packet that has come to the side of its receiver.
func (p *Pump) arrive(at linger.Instant, c parcel) {
	if p.box != nil && p.hosts[c.from].Side != p.hosts[c.to].Side {
		if pk, ok := parsePacket(p.buffers.at(c.buffer)[:c.size]); ok && !p.box.pass(at, &pk) {
			p.refuse(&pk, c)
			p.free(c)
			return
		}
	}
	if in := p.hosts[c.to].in; in >= 0 {
		p.hops.send(in, at, int(c.size), c)
		return
	}
	p.write(at, c)
}

// refuse tells the ends of a connection that the box does not let its packet through, if it does.
func (p *Pump) refuse(pk *packet, c parcel) {
	if pk.Flags&flow.RST != 0 {
		return // "an RST is never sent in response to" one (RFC 9293, 3.5.2)
	}
	if p.box.refuses || p.box.resetsBoth {
		p.inject(c.from, pk.reset(true))
	}
	if p.box.resetsBoth {
		p.inject(c.to, pk.reset(false))
	}
}

// inject hands a host a packet that no host has sent.
func (p *Pump) inject(to int32, b []byte) {
	if seen := p.hosts[to].seen; seen != nil {
		seen.packet(0, p.now(), b, "")
	}
	rawWrite(p.hosts[to].FD, b)
}

// write hands a packet that was due at that time to its receiver. A device that
// does not take it, being down, loses it, as a host would that is switched off.
func (p *Pump) write(due linger.Instant, c parcel) {
	p.counts.late(p.now().Sub(due), int(c.segments))
	b := p.buffers.at(c.buffer)
	if seen := p.hosts[c.to].seen; seen != nil {
		seen.packet(0, p.now(), b[:c.size], "")
	}
	rawWrite(p.hosts[c.to].FD, b[:c.size])
	p.free(c)
}

// Stop makes Run return.
func (p *Pump) Stop() {
	p.stopping.Store(true)
	p.ring()
}

// ring wakes the pump's thread, if there is one still.
func (p *Pump) ring() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wake >= 0 {
		unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// Ledger returns what has been sent into the links. Any goroutine may ask, before
// Run has begun (then it waits for it), while it runs, and after it has returned.
func (p *Pump) Ledger() trace.Ledger {
	reply := make(chan *snapshot, 1)
	select {
	case p.asked <- reply:
		p.ring()
	case <-p.done:
	}
	var s *snapshot
	select {
	case s = <-reply:
	case <-p.done:
		s = p.snapshot()
	}
	return s.render(p.began)
}

// answer serves those who ask for the ledger.
func (p *Pump) answer() {
	unix.Read(p.wake, make([]byte, 8))
	for {
		select {
		case reply := <-p.asked:
			reply <- p.snapshot()
		default:
			return
		}
	}
}

// snapshot copies the counts, with the peaks of the queues: the highest of those in each
// direction.
func (p *Pump) snapshot() *snapshot {
	s := p.counts.snapshot()
	peak := func(pair int32) {
		for side := range s.pipes {
			q := &s.pipes[side].QueuePeak
			*q = max(*q, int64(p.hops.all[pair+int32(side)].Peak()))
		}
	}
	peak(p.shared)
	for _, pair := range p.own {
		peak(pair)
	}
	return s
}

// rawRead and rawWrite are read(2) and write(2) on a descriptor that does not
// block, without the word with Go's scheduler that costs more than it is worth here.
func rawRead(fd int, b []byte) (int, unix.Errno) {
	n, _, err := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), err
}

func rawWrite(fd int, b []byte) {
	unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
}
