"""The quick start, against a sandbox of its own: `pip install 'kantos-async[sandbox]'`.

Against Kantos itself, drop the sandbox, set KANTOS_API_KEY and write `KantosAsync()`.
"""

import asyncio

from kantos_async import F, KantosAsync
from kantos_async.sandbox import Sandbox


async def main() -> None:
    async with (
        Sandbox() as sandbox,
        KantosAsync(sandbox.api_key, base_url=sandbox.url) as k,
    ):
        lead = await k.records.create(
            object_id="obj_contacts",
            field_values={"name": "Zoë Müller", "email": "zoe@example.com", "status": "New"},
        )
        lead = await k.records.update(lead.id, {"status": "Qualified"})
        print(lead.id, lead.field_values["status"])

        async for record in k.records.query("obj_contacts", filters=F.name.contains("müller")):
            print(record.field_values["name"], record.created_at)

        await k.records.delete(lead.id)
        print(await k.records.query("obj_contacts").count(), "contacts left")


asyncio.run(main())
