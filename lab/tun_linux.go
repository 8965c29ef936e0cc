package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// vnetSize is the size of struct virtio_net_hdr, which stands before each packet
// that is read from or written to a TUN device opened here
// (virtio 1.2, 5.1.6; include/uapi/linux/virtio_net.h).
const vnetSize = 10

// tunQueue is how many packets the kernel keeps for the pump, a super-packet
// being one. What does not fit is lost inside the sending host, unseen by the
// link, so there is room for a whole window of small packets; the kernel's own
// default is 500 (drivers/net/tun.c, TUN_READQ_SIZE).
const tunQueue = 10_000

// openTUN makes a TUN device of that name in the calling thread's network
// namespace, down and without an address. Each packet has a virtio-net header,
// and the kernel leaves checksums and the segmentation of TCP over IPv4 to the
// reader. The descriptor does not block; the device goes when it is closed.
func openTUN(name string) (fd int, err error) {
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open /dev/net/tun: %w; load the module tun and make the device readable and writable", err)
	}
	if err := setupTUN(fd, name); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot make the TUN device %q: %w", name, err)
	}
	return fd, nil
}

func setupTUN(fd int, name string) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return os.NewSyscallError("TUNSETIFF", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, vnetSize); err != nil {
		return os.NewSyscallError("TUNSETVNETHDRSZ", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4); err != nil {
		return os.NewSyscallError("TUNSETOFFLOAD", err)
	}
	return setQueueLength(name, tunQueue)
}

// setQueueLength sets how many packets the interface keeps for its reader.
func setQueueLength(name string, packets uint32) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint32(packets)
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	return os.NewSyscallError("SIOCSIFTXQLEN", unix.IoctlIfreq(s, unix.SIOCSIFTXQLEN, ifr))
}
