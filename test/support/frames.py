"""Frames as guests send them, honest ones and others, made byte by byte.

frames.py send IF MAC IP VICTIM_IP   sends each kind once, the name of the kind in it, then the last one
frames.py hear IF                    says "ready", then the kinds that arrived until the last one came
frames.py serve PORT                 answers on TCP and UDP, says "ready"
frames.py talk HOST PORT             counts to who sends it back, on one connection, and says each number that came back
frames.py try tcp|udp HOST PORT      whether it is answered: exit 0 or 1
"""
import socket, struct, sys, threading, time


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


BROADCAST = b"\xff" * 6
OTHER = mac("52:54:00:00:00:99")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp4(source, target, payload, sport=4000, dport=4001):
    length = 8 + len(payload)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(target))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return head + struct.pack("!HHHH", sport, dport, length, 0) + payload


def icmp6(source, target, kind, body):
    src, dst = socket.inet_pton(socket.AF_INET6, source), socket.inet_pton(socket.AF_INET6, target)
    message = struct.pack("!BBH", kind, 0, 0) + body
    total = checksum(src + dst + struct.pack("!II", len(message), 58) + message)
    message = struct.pack("!BBH", kind, 0, total) + body
    return struct.pack("!IHBB", 0x60000000, len(message), 58, 255) + src + dst + message


def eui64(own):
    b = bytearray(own)
    b[0] ^= 2
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + b"\0" * 6 + bytes(b[:3]) + b"\xff\xfe" + bytes(b[3:]))


def arp(op, sender_mac, sender_ip, target_ip):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, op, sender_mac, socket.inet_aton(sender_ip), b"\0" * 6, socket.inet_aton(target_ip))


def kinds(own, ip, victim):
    def ether(kind, payload, source=own, target=BROADCAST):
        return target + source + struct.pack("!H", kind) + payload

    link, all6 = eui64(own), "ff02::1"
    other6 = "fe80::5054:ff:fe00:99"
    tlla = lambda m: b"\x02\x01" + m
    na = lambda addr, m: struct.pack("!I", 0x20000000) + socket.inet_pton(socket.AF_INET6, addr) + tlla(m)
    tag = lambda name: b"ODO:" + name.encode() + b";"
    t = tag
    yield "own-ip", ether(0x0800, udp4(ip, "255.255.255.255", t("own-ip")))
    yield "own-arp", ether(0x0806, arp(1, own, ip, victim) + t("own-arp"))
    yield "arp-probe", ether(0x0806, arp(1, own, "0.0.0.0", ip) + t("arp-probe"))
    yield "own-rarp", ether(0x8035, arp(3, own, "0.0.0.0", "0.0.0.0") + t("own-rarp"))
    yield "discover", ether(0x0800, udp4("0.0.0.0", "255.255.255.255", t("discover"), 68, 67))
    yield "own-ip6", ether(0x86DD, icmp6(link, all6, 200, t("own-ip6")))
    yield "own-na", ether(0x86DD, icmp6(link, all6, 136, na(link, own) + t("own-na")))
    yield "foreign-mac", ether(0x0800, udp4(ip, "255.255.255.255", t("foreign-mac")), source=OTHER)
    yield "foreign-ip", ether(0x0800, udp4(victim, "255.255.255.255", t("foreign-ip")))
    yield "foreign-arp", ether(0x0806, arp(2, own, victim, victim) + t("foreign-arp"))
    yield "arp-other-mac", ether(0x0806, arp(2, OTHER, ip, victim) + t("arp-other-mac"))
    yield "foreign-rarp", ether(0x8035, struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 3, OTHER, b"\0" * 4, OTHER, b"\0" * 4) + t("foreign-rarp"))
    yield "rogue-dhcp", ether(0x0800, udp4(ip, "255.255.255.255", t("rogue-dhcp"), 67, 68))
    yield "vlan", ether(0x8100, struct.pack("!HH", 5, 0x0800) + udp4(ip, "255.255.255.255", t("vlan")))
    yield "vlan-foreign", ether(0x8100, struct.pack("!HH", 5, 0x0800) + udp4(victim, "255.255.255.255", t("vlan-foreign")))
    yield "qinq", ether(0x88A8, struct.pack("!HHHH", 5, 0x8100, 6, 0x0800) + udp4(victim, "255.255.255.255", t("qinq")))
    yield "vlan-arp", ether(0x8100, struct.pack("!HH", 5, 0x0806) + arp(2, own, victim, victim) + t("vlan-arp"))
    yield "pppoe", ether(0x8863, b"\x11\x09\0\0\0\x08" + t("pppoe"))
    yield "unknown", ether(0x88B5, t("unknown"))
    yield "foreign-ip6", ether(0x86DD, icmp6(other6, all6, 200, t("foreign-ip6")))
    yield "ra", ether(0x86DD, icmp6(link, all6, 134, b"\x40\0\x07\x08" + b"\0" * 8 + t("ra")))
    yield "redirect", ether(0x86DD, icmp6(link, all6, 137, b"\0" * 36 + t("redirect")))
    yield "na-other", ether(0x86DD, icmp6(link, all6, 136, na(other6, own) + t("na-other")))
    yield "na-other-mac", ether(0x86DD, icmp6(link, all6, 136, na(link, OTHER) + t("na-other-mac")))
    yield "last", ether(0x0800, udp4(ip, "255.255.255.255", t("last")))


def reaches(protocol, host, port):
    try:
        if protocol == "tcp":
            with socket.create_connection((host, port), timeout=1) as one:
                print(one.recv(100).decode().strip())
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as one:
                one.settimeout(1)
                one.connect((host, port))
                one.send(b"x")
                one.recv(100)
        return True
    except OSError:
        return False


def main():
    act = sys.argv[1]
    if act == "send":
        interface, own, ip, victim = sys.argv[2:]
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind((interface, 0))
            for _, frame in kinds(mac(own), ip, victim):
                raw.send(frame.ljust(60, b"\0"))
    if act == "hear":
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
            raw.bind((sys.argv[2], 0))
            raw.settimeout(60)
            print("ready", flush=True)
            heard = set()
            while "last" not in heard:
                data = raw.recv(4096)
                at = data.find(b"ODO:")
                if at >= 0:
                    heard.add(data[at + 4 : data.index(b";", at)].decode())
            print(" ".join(sorted(heard)), flush=True)
    if act == "serve":
        port = int(sys.argv[2])
        tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        udp.bind(("::", port))

        def answer():
            while True:
                data, whom = udp.recvfrom(2048)
                udp.sendto(data, whom)

        threading.Thread(target=answer, daemon=True).start()
        print("ready", flush=True)
        while True:
            one, whom = tcp.accept()
            one.sendall(whom[0].encode() + b"\n")
            one.close()
    if act == "talk":
        while True:
            try:
                one = socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=2)
                break
            except OSError:
                time.sleep(0.2)
        one.settimeout(120)
        for number in range(1000000):
            word = b"%d\n" % number
            one.sendall(word)
            back = b""
            while len(back) < len(word):
                more = one.recv(100)
                if not more:
                    sys.exit("it hung up")
                back += more
            print(back.decode().strip(), flush=True)
            time.sleep(0.05)
    # `try`: once, briefly: for what is to be refused. `reach`: for what is to be answered, on a machine that may be busy.
    if act in ("try", "reach"):
        deadline = time.monotonic() + (30 if act == "reach" else 0)
        while not reaches(sys.argv[2], sys.argv[3], int(sys.argv[4])):
            if time.monotonic() > deadline:
                sys.exit(1)
            time.sleep(0.2)


main()
