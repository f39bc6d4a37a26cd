// imapflow at the end of a pipe, a QRESYNC client: a JSON object a line in, one out (system/t_sync).
'use strict';
const readline = require('readline');
const { ImapFlow } = require('imapflow');

let client, events = [];

const ops = {
    async open(q) {
        client = new ImapFlow({
            host: '127.0.0.1', port: q.port, secure: false, doSTARTTLS: false, auth: { user: q.user, pass: q.pass },
            logger: false, qresync: true,
        });
        for (const what of ['exists', 'expunge', 'flags'])
            client.on(what, e => events.push(Object.assign({ what }, e, {
                flags: e.flags && [...e.flags], modseq: e.modseq && String(e.modseq) })));
        await client.connect();
        const box = await client.mailboxOpen(q.box, q.since && {
            changedSince: BigInt(q.since), uidValidity: BigInt(q.validity) });
        return { exists: box.exists, modseq: String(box.highestModseq), validity: String(box.uidValidity),
            enabled: [...client.enabled], id: box.mailboxId };
    },
    async noop() { await client.noop(); return {}; },
    async flag(q) { return { done: await client.messageFlagsAdd(q.range, q.flags, { uid: true, unchangedSince: q.since && BigInt(q.since) }) }; },
    async remove(q) { return { done: await client.messageDelete(q.range, { uid: true }) }; },
    async fetch(q) {
        const out = [];
        for await (const m of client.fetch(q.range, { uid: true, flags: true, envelope: true, threadId: true },
            { uid: true, changedSince: q.since && BigInt(q.since) }))
            out.push({ uid: m.uid, flags: [...m.flags], modseq: String(m.modseq), id: m.emailId, thread: m.threadId, subject: m.envelope.subject });
        return { messages: out };
    },
    async close() { await client.logout(); return {}; },
};

readline.createInterface({ input: process.stdin }).on('line', async line => {
    const q = JSON.parse(line);
    let out;
    try {
        out = await ops[q.op](q);
    } catch (e) {
        out = { error: String(e.responseText || e.stack) };
    }
    out.events = events;
    events = [];
    process.stdout.write(JSON.stringify(out) + '\n');
});
