// SPDX-License-Identifier: BSD-3-Clause
// The table of subcommands. A subcommand or an option that is not here does not exist: main.c looks
// up both here, and help.c makes help, the manual page and completion from it. Sentences are lower
// case without a full stop, as everywhere in Prism's lists.

#include "cli/cli.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define OPTIONS(table) .options = table, .option_count = COUNT_OF(table)

static const struct cli_option run_options[] = {
	{"duration", 'd', "TIME", "end by itself after so long, for example 10s"},
	{"quiet", 'q', NULL, "no live summary, no log lines; errors only"},
};

static const struct cli_option doctor_options[] = {
	{"json", 'j', NULL, "the findings as JSON"},
};

static const struct cli_option explain_options[] = {
	{"list", 'l', NULL, "all names, one a line"},
};

// The order is load_options.c's.
static const struct cli_option load_options[] = {
	{"port", 'p', "DEVICE",
	 "where to send from: memif:SOCKET,role=client, af_xdp:IFACE, tap:NAME, ..."},
	{"address", 'a', "ADDRESS/BITS", "our address on it"},
	{"gateway", 'g', "ADDRESS", "the way to a target outside that network"},
	{"config", 'f', "FILE", "take ports and limits from a configuration file instead"},
	{"connections", 'c', "COUNT", "connections at the same time, default 64"},
	{"pipeline", 'P', "COUNT", "requests under way on each, default 1"},
	{"new-connection", 'n', NULL, "connect, request, reply, close, for each request"},
	{"duration", 'd', "TIME", "how long to measure, default 10s"},
	{"warmup", 'w', "TIME", "how long to run before that, default none"},
	{"requests", 'r', "COUNT", "end after so many"},
	{"rate", 'R', "COUNT",
	 "requests a second, answered or not; latency counts from when each was due"},
	{"size", 's', "BYTES", "echo: of a message, default 64"},
	{"host", 'H', "NAME", "http: the Host header, default as in the target"},
	{"expect-file", 'e', "FILE", "http: the body that must come back, default the first one"},
	{"core", 'C', "NUMBER", "the core to run on"},
	{"json", 'j', NULL, "the report as JSON"},
	{"quiet", 'q', NULL, "no progress lines"},
};

static const struct cli_option top_options[] = {
	{"once", '1', NULL, "print one picture as plain text and end"},
	{"interval", 'i', "TIME", "between two looks, default 1s"},
	{"instance", 'n', "NAME", "which instance, when there are several"},
};

static const struct cli_option stats_options[] = {
	{"json", 'j', NULL, "everything as one JSON object"},
	{"instance", 'n', "NAME", "which instance, when there are several"},
	{"interval", 'i', "TIME", "print what was added, again and again after so long"},
};

// The order is conns.c's.
static const struct cli_option conns_options[] = {
	{"json", 'j', NULL, "everything as one JSON object"},
	{"instance", 'n', "NAME", "which instance, when there are several"},
	{"interval", 'i', "TIME", "print them again and again after so long"},
	{"state", 's', "STATES", "only those in one of these: established,close-wait"},
	{"order", 'o', "ORDER", "rate (default), retransmits, rtt, held, unacked or address"},
	{"most", 'm', "COUNT", "no more than so many"},
	{"brief", 'b', NULL, "a line each, without windows, times and limits"},
};

// The order is drops.c's.
static const struct cli_option drops_options[] = {
	{"json", 'j', NULL, "everything as one JSON object"},
	{"instance", 'n', "NAME", "which instance, when there are several"},
	{"interval", 'i', "TIME", "print it with rates, again and again after so long"},
	{"follow", 'f', NULL, "a line for each as it happens"},
};

// The order is why.c's.
static const struct cli_option why_options[] = {
	{"json", 'j', NULL, "everything as one JSON object"},
	{"instance", 'n', "NAME", "which instance, when there are several"},
	{"all", 'a', NULL, "all groups of a reason, not only the five largest"},
};

// The order is capture.c's.
static const struct cli_option capture_options[] = {
	{"json", 'j', NULL, "a JSON object a packet, each in a line"},
	{"instance", 'n', "NAME", "which instance, when there are several"},
	{"write", 'w', "FILE", "a pcapng file instead of lines; - is the output"},
	{"count", 'c', "COUNT", "end after so many packets"},
	{"interface", 'i', "PORT", "only those of this port"},
	{"snapshot-length", 's', "BYTES", "no more than so many bytes of each, default all"},
	{"points", 'p', "POINTS", "where: some of rx,tx,drop,deliver; default rx,tx,drop"},
	{"file-size", 'C', "SIZE", "begin a new file after so much, for example 100MiB"},
	{"files", 'W', "COUNT", "keep so many files, then overwrite the oldest"},
	{"duration", 'd', "TIME", "end by itself after so long"},
	{"ring", 'r', "SIZE", "what a worker's ring holds that is not read yet, default 16MiB"},
	{"quiet", 'q', NULL, "no messages but errors"},
};

// The order is extcap.c's; the names are Wireshark's.
static const struct cli_option extcap_options[] = {
	{"extcap-interfaces", 0, NULL, "the ports of all instances that run"},
	{"extcap-dlts", 0, NULL, "the link type of one"},
	{"extcap-config", 0, NULL, "what may be chosen for a capture"},
	{"capture", 0, NULL, "capture, into the fifo"},
	{"extcap-interface", 0, "NAME", "prism:INSTANCE:PORT"},
	{"extcap-capture-filter", 0, "FILTER",
	 "as tcpdump takes it; alone: say what is wrong with it"},
	{"fifo", 0, "FILE", "where the packets go"},
	{"extcap-version", 0, "VERSION", "Wireshark's"},
	{"points", 0, "POINTS", "as of prism capture"},
	{"snapshot-length", 0, "BYTES", "as of prism capture"},
	{"ring", 0, "SIZE", "as of prism capture"},
};

// The order is trace.c's.
static const struct cli_option trace_options[] = {
	{"json", 'j', NULL, "everything as one JSON object"},
	{"instance", 'n', "NAME", "which instance, when there are several"},
	{"follow", 'f', NULL, "go on, with a line for each as it happens"},
	{"summary", 's', NULL, "how many of each kind, and the longest of what has a length"},
	{"write", 'w', "FILE", "a timeline, for Perfetto and chrome://tracing; - is the output"},
};

// The order is that of those who ask an instance: rebalance.c, recorder.c.
static const struct cli_option ask_options[] = {
	{"json", 'j', NULL, "what the instance answers, as JSON"},
	{"instance", 'n', "NAME", "which instance, when there are several"},
};

// The order is sim.c's.
static const struct cli_option sim_options[] = {
	{"seed", 's', "NUMBER", "which run, default 1"},
	{"seeds", 'S', "FIRST-LAST", "many runs, one a seed"},
	{"swarm", 'w', NULL, "each seed draws which faults, events and API calls are on at all"},
	{"shrink", 'x', NULL, "make the first run that fails smaller, and print what is left"},
	{"duration", 'd', "TIME", "begin no run after so long; without --seeds: as many as fit"},
	{"capture", 'c', "FILE", "write what crossed the links in the first run, as pcapng"},
	{"at", 'a', "HOST", "of that only what this host sends and receives, when it does"},
	{"folder", 'o', "FOLDER", "where files of failed runs go, default here"},
	{"keys", 'k', NULL, "what may stand in a scenario"},
	{"json", 'j', NULL, "the runs and totals as JSON"},
	{"quiet", 'q', NULL, "failures and totals only"},
};

// The order is replay.c's.
static const struct cli_option replay_options[] = {
	{"as", 'a', "SIDE", "whom Prism takes the place of: server (default) or client"},
	{"flow", 'f', "NUMBER", "which connection of the file, from 1"},
	{"list", 'l', NULL, "the connections of the file"},
	{"tolerance", 't', "TIME", "an answer so much earlier or later is the same, default 1ms"},
	{"strict", 'S', NULL, "windows and options of the handshake count, too"},
	{"json", 'j', NULL, "all of it as JSON"},
	{"quiet", 'q', NULL, "what differs and the summary only"},
};

static const struct cli_option help_options[] = {
	{"man", 'm', NULL, "the manual page, as scdoc source"},
};

const struct cli_command cli_commands[] = {
	{.name = "run",
	 .arguments = "FILE",
	 .words = "FILE",
	 .run = cmd_run,
	 OPTIONS(run_options),
	 .sentence = "start what a configuration file describes",
	 .more = "Opens the ports, says in one line each what was chosen, starts the services and "
		 "serves until Ctrl-C. Then it stops listening, lets connections finish for a few "
		 "seconds, and leaves nothing behind. Without the privileges a tap port needs, it "
		 "runs in a user and network namespace of its own and says how to step in."},
	{.name = "check",
	 .arguments = "FILE",
	 .words = "FILE",
	 .run = cmd_check,
	 .sentence = "read a configuration file and list all that is wrong with it",
	 .more = "Each finding has its line and column, the line itself, and what to write "
		 "instead. Nothing is started, and no privilege is needed."},
	{.name = "config",
	 .arguments = "schema | init | show FILE",
	 .words = "schema init show",
	 .run = cmd_config,
	 .sentence = "the configuration's schema, a sample, or effective values",
	 .more = "schema prints a JSON Schema, for editors that complete and check while you "
		 "write. init prints a commented file with every key. show prints what a file "
		 "comes to: each value, and whether the file or the default gave it."},
	{.name = "doctor",
	 .arguments = "[FILE]",
	 .words = "FILE",
	 .run = cmd_doctor,
	 OPTIONS(doctor_options),
	 .sentence = "what this machine can do, and what stands in the way",
	 .more = "Each finding is OK, WARN or FAIL with the measured fact and the line that mends "
		 "it; then a verdict for each kind of port. With a FILE, the verdict counts for "
		 "the kinds it uses. Ends with 3 when something needed is missing."},
	{.name = "explain",
	 .arguments = "NAME...",
	 .run = cmd_explain,
	 OPTIONS(explain_options),
	 .sentence = "what an error, drop reason, counter, event or close reason means",
	 .more = "What happened, the likely cause, what to do, and the RFC it comes from."},
	{.name = "load",
	 .arguments = "http | tcp-echo | udp-echo TARGET",
	 .words = "http tcp-echo udp-echo",
	 .run = cmd_load,
	 OPTIONS(load_options),
	 .sentence = "put load on a server, from a stack of our own, and check what comes back",
	 .more = "TARGET is http://ADDRESS[:PORT]/PATH or ADDRESS:PORT. It speaks to any server "
		 "and compares every byte of every answer. Ends with requests a second, latencies "
		 "and errors by kind; the exit code is 1 when there was any error."},
	{.name = "sim",
	 .arguments = "[SCENARIO]",
	 .words = "FILE",
	 .run = cmd_sim,
	 OPTIONS(sim_options),
	 .sentence = "simulate hosts, links, faults and applications in virtual time, by seed",
	 .more = "SCENARIO is a YAML file; without one, all is drawn from the seed. Each host is a "
		 "whole Prism; every byte is compared, every packet accounted for, every "
		 "connection and buffer gone at the end, or the run has failed. A failed run "
		 "leaves sim-SEED.pcapng and sim-SEED.trace, and runs the same way again. The exit "
		 "code is 1 when any run failed."},
	{.name = "replay",
	 .arguments = "CAPTURE",
	 .words = "FILE",
	 .run = cmd_replay,
	 OPTIONS(replay_options),
	 .sentence = "feed one side of a captured connection to the stack, and compare its answers",
	 .more = "CAPTURE is a pcap or pcapng file (ethernet, raw IP, Linux cooked). The peer's "
		 "segments arrive when they were captured, in virtual time; Prism's application "
		 "writes and closes when the captured one did. Each answer is shown beside the "
		 "captured one: same, or how it differs. Sequence numbers and timestamps are "
		 "compared relative to their first. The exit code is 1 when anything differs."},
	{.name = "top",
	 .arguments = "",
	 .run = cmd_top,
	 OPTIONS(top_options),
	 .sentence = "watch an instance: workers, ports, connections, drops",
	 .more = "Reads the instance's shared memory only: it works on a running, a stuck and a "
		 "dead one, and costs the instance nothing. Keys: s sorts drops by rate or by "
		 "total, q quits."},
	{.name = "stats",
	 .arguments = "[PATTERN]",
	 .run = cmd_stats,
	 OPTIONS(stats_options),
	 .sentence = "an instance's numbers, as lines or as JSON",
	 .more = "Names are stable. PATTERN keeps those that match, for example 'drop.*'. Works "
		 "on a running, a stuck and a dead instance."},
	{.name = "conns",
	 .arguments = "[FILTER]",
	 .run = cmd_conns,
	 OPTIONS(conns_options),
	 .sentence = "an instance's connections, as ss -tin shows the kernel's",
	 .more = "FILTER is as tcpdump takes it, meant of what Prism sends: src port 80 and dst "
		 "net 10.0.0.0/8. Recv-Q is what received buffers take that the application "
		 "holds, Send-Q what the peer has not acknowledged. Counts, and the shares of "
		 "time that the application, the peer's window or the network set the pace, are "
		 "since the connection was first shown, a few milliseconds after its birth. "
		 "Workers write four connections a millisecond, so with thousands what is shown "
		 "is a moment old; it says how old. Works on a running, a stuck and a dead "
		 "instance."},
	{.name = "drops",
	 .arguments = "[FILTER]",
	 .run = cmd_drops,
	 OPTIONS(drops_options),
	 .sentence = "what an instance dropped, by reason, from where, and what to do",
	 .more = "Counts are since its start; networks (24 bits of IPv4, 64 of IPv6) and ports are "
		 "those of the drops that its flight recorder still has. -f prints each drop as it "
		 "happens, those that match FILTER (as tcpdump takes it) if there is one. Works on "
		 "a running, a stuck and a dead instance."},
	{.name = "why",
	 .arguments = "[FILTER]",
	 .run = cmd_why,
	 OPTIONS(why_options),
	 .sentence = "what became of these packets, why, and what to do",
	 .more = "FILTER is as tcpdump takes it: host 10.0.0.5 and tcp port 80. Tells of packets "
		 "that were dropped, from the flight recorder, which is always on; nothing has to "
		 "be armed beforehand. Packets that have a reason in common stand together. Behind "
		 "them stand samples of what came and left, one in so many (prism recorder). A "
		 "VLAN "
		 "tag is looked through, unless the filter speaks of vlan. The exit code is 4 when "
		 "anything that matches was dropped. Works on a running, a stuck and a dead "
		 "instance."},
	{.name = "capture",
	 .arguments = "[FILTER]",
	 .run = cmd_capture,
	 OPTIONS(capture_options),
	 .sentence = "packets as they come, leave, are dropped or delivered, with reasons",
	 .more = "FILTER is as tcpdump takes it; workers run its program. Without -w a line "
		 "a packet; with -w a pcapng file for Wireshark and tshark: what became of a "
		 "dropped packet is its comment, and its packet number, queue (the worker) and "
		 "direction are there. A packet that is dropped at once is told once, as it came. "
		 "Each worker copies into a ring that is overwritten and never waits: what is "
		 "lost is counted. With -C files are FILE, FILE1, FILE2; with -W too, FILE0 to the "
		 "last and round again. Packets that leave show checksums that the card is still "
		 "to fill in. It speaks to the control socket (control.socket), and ends with the "
		 "instance."},
	{.name = "extcap",
	 .arguments = "",
	 .run = cmd_extcap,
	 OPTIONS(extcap_options),
	 .sentence = "Prism's ports as interfaces of Wireshark and tshark",
	 .more = "Wireshark calls it, when contrib/wireshark/prism-extcap is in its extcap folder "
		 "(Help, About, Folders): then tshark -i prism:INSTANCE:PORT captures there, by "
		 "prism capture."},
	{.name = "trace",
	 .arguments = "[PATTERN]",
	 .run = cmd_trace,
	 OPTIONS(trace_options),
	 .sentence = "what happened in the workers, in the order of time",
	 .more = "States of connections, timeouts, retransmissions, turns of a worker that took "
		 "long, addresses that came and went: the last 4,096 events of each worker. "
		 "PATTERN keeps those whose names match, for example 'TCP_*'; prism explain NAME "
		 "says more of one. Times are seconds since the instance began; #N is the slot of "
		 "a connection, or the number of a port. Works on a running, a stuck "
		 "and a dead instance."},
	{.name = "rebalance",
	 .arguments = "[on | off | now]",
	 .words = "on off now",
	 .run = cmd_rebalance,
	 OPTIONS(ask_options),
	 .sentence = "whether connections go from a busy worker to an idle one",
	 .more = "Without an argument it says how it is. on and off last until the instance ends; "
		 "now gives some connections of the busiest worker to the idlest once, however "
		 "small the difference. It speaks to the control socket (control.socket)."},
	{.name = "recorder",
	 .arguments = "[N | off]",
	 .words = "off",
	 .run = cmd_recorder,
	 OPTIONS(ask_options),
	 .sentence = "how many of the packets that pass the flight recorder notes",
	 .more = "Without an argument it says how it is. With N it notes one packet in N of those "
		 "that come and leave, drawn at random; 1 is all, off none. Drops it notes all. "
		 "The rate holds until the instance ends (sample_one_in is the configuration's). "
		 "It speaks to the control socket (control.socket)."},
	{.name = "help",
	 .arguments = "[COMMAND]",
	 .run = cmd_help,
	 OPTIONS(help_options),
	 .sentence = "this list, or everything about one command"},
	{.name = "completion",
	 .arguments = "bash | zsh | fish",
	 .words = "bash zsh fish",
	 .run = cmd_completion,
	 .sentence = "a completion script for a shell",
	 .more = "For bash: source <(prism completion bash)."},
	{.name = "version",
	 .arguments = "",
	 .run = cmd_version,
	 .sentence = "versions of Prism and of DPDK"},
};
const uint32_t cli_command_count = COUNT_OF(cli_commands);

const struct cli_command *cli_command_find(const char *name)
{
	for (uint32_t i = 0; i < cli_command_count; i++)
		if (strcmp(cli_commands[i].name, name) == 0)
			return &cli_commands[i];
	return NULL;
}
